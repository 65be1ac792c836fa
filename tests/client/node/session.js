// A session with Homeport from Node: write, read what was written, list, read an error.
//
//   node session.js HOST:PORT NAMESPACE PROTOS
//
// Needs client/node_js; PROTOS is the repository's folder of protos.
const {Client, HomeportError} = require('../../../client/node_js');

const [address, namespace, protos] = process.argv.slice(2);

async function main() {
  const client = new Client([address], {protos});
  const session = client.session();

  const written = await session.put(namespace, 'user/8', 'Grace', {key: 'name'});
  console.log('written at', written.provenance.replica);

  // The session carries its token, so it sees the write in whichever region a read lands.
  const read = await session.get(namespace, 'user/8', {key: 'name'});
  console.log('read', read.item.value.toString());

  for await (const item of session.items(namespace, 'user/8')) {
    console.log('item', item.key, item.value.toString());
  }

  // Somebody else goes on from there: in another process, on another continent.
  const friend = client.session(session.export());
  const same = await friend.get(namespace, 'user/8', {key: 'name'});
  console.log('friend reads', same.item.value.toString());

  try {
    await session.get('no-such', 'user/8');
  } catch (error) {
    if (!(error instanceof HomeportError)) throw error;
    console.log('error', error.code, error.reason, error.metadata.namespace);
  }
  client.close();
}

main().catch((error) => { console.error(error); process.exit(1); });
