// Makes calls that tests ask for, line by line as JSON, and says how each ended.
//
//   node driver.js PROTOS
const readline = require('readline');
const {Client} = require('../../../client/node_js');

const clients = [];
const sessions = [];
const valueOf = (item) => (item ? [item.value.toString(), Number(item.counter ?? 0)] : null);

const commands = {
  session: ({gateways, timeout, token}) => {
    clients.push(new Client(gateways, {protos: process.argv[2], timeout: timeout * 1000}));
    sessions.push(clients.at(-1).session(Buffer.from(token, 'base64')));
    return sessions.length - 1;
  },
  export: ({session}) => sessions[session].export().toString('base64'),
  preferred: ({session}) => clients[session].gateways.preferred,
  get: async ({session, namespace, id, options}) =>
    valueOf((await sessions[session].get(namespace, id, options)).item),
  put: async ({session, namespace, id, value, options}) =>
    (await sessions[session].put(namespace, id, value, options)).provenance.replica,
  add: async ({session, namespace, id, options}) =>
    (await sessions[session].add(namespace, id, 1, options)).provenance.replica,
  put_many: async ({session, namespace, id, count}) => {
    const puts = [];
    for (let i = 0; i < count; i++) puts.push(sessions[session].put(namespace, `${id}/${i}`, 'v'));
    return (await Promise.all(puts)).length;
  },
};

readline.createInterface({input: process.stdin}).on('line', async (line) => {
  const {command, ...what} = JSON.parse(line);
  let said;
  try {
    said = {ok: await commands[command](what)};
  } catch (error) {
    said = error.code ? {error: [error.code, error.reason]} : {bug: error.stack};
  }
  console.log(JSON.stringify(said));
}).on('close', () => process.exit(0));
