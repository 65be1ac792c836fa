// A session with Homeport from Node: write, read what was written, list, read an error.
//
//   node session.js HOST:PORT NAMESPACE PROTOS
//
// Needs @grpc/grpc-js and @grpc/proto-loader; PROTOS is the repository's folder of protos.
const crypto = require('crypto');
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [address, namespace, protos] = process.argv.slice(2);
const load = (file) => grpc.loadPackageDefinition(loader.loadSync(
    path.join(protos, file), {includeDirs: [protos], enums: String, longs: String, defaults: true}));
const {homeport} = load('homeport/v1/key_value.proto');
const store = new homeport.v1.KeyValue(address, grpc.credentials.createInsecure());
const root = new (require('protobufjs').Root)();
root.resolvePath = (_, target) =>
    target.startsWith('google/protobuf/') ? null : path.join(protos, target);
root.loadSync(['google/rpc/status.proto', 'google/rpc/error_details.proto']);

const call = (method, request) => new Promise((resolve, reject) => store[method](
    {namespace, ...request}, {deadline: Date.now() + 5000},
    (error, reply) => (error ? reject(error) : resolve(reply))));

// The google.rpc.ErrorInfo of an error: a stable reason, and what it is about.
function errorInfo(error) {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  for (const detail of root.lookupType('google.rpc.Status').decode(bytes).details) {
    if (detail.type_url.endsWith('/google.rpc.ErrorInfo')) {
      return root.lookupType('google.rpc.ErrorInfo').decode(detail.value);
    }
  }
  return {};
}

async function main() {
  // A request_id makes the write safe to send again: the same id has no second effect.
  const written = await call('Put', {
    id: 'user/8', key: 'name', value: Buffer.from('Grace'),
    options: {request_id: crypto.randomUUID()}});
  console.log('written at', written.provenance.replica);

  // With the token of the last reply a read sees the write, in whichever region it lands.
  const read = await call('Get', {
    id: 'user/8', key: 'name', options: {session_token: written.session_token}});
  console.log('read', read.item.value.toString());

  let pageToken = '';
  do {
    const page = await call('ListItems', {
      id: 'user/8', page_token: pageToken, options: {session_token: read.session_token}});
    for (const item of page.items) console.log('item', item.key, item.value.toString());
    pageToken = page.next_page_token;
  } while (pageToken);

  try {
    await call('Get', {namespace: 'no-such', id: 'user/8'});
  } catch (error) {
    const info = errorInfo(error);
    console.log('error', grpc.status[error.code], info.reason, info.metadata.namespace);
  }
  store.close();
}

main().catch((error) => { console.error(error); process.exit(1); });
