'use strict';
// Sessions with Homeport for Node: small, with promises.
//
//   const client = new Client(['gateway-1:7011', 'gateway-2:7011'], {protos: 'proto'});
//   const session = client.session();
//   await session.put('demo', 'user/7', 'Ada', {key: 'name'});
//   (await session.get('demo', 'user/7', {key: 'name'})).item.value;  // in whichever region
//
// A session sends its token by itself, gives every write a request id, sends again only what can not
// have a second effect, goes to the gateway that is nearest, and away from one that fails. Requests
// and replies are those of homeport.v1 with the field names of the protos; errors are HomeportError.

const crypto = require('crypto');
const path = require('path');
const {performance} = require('perf_hooks');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const protobuf = require('protobufjs');
const {GatewayChoice} = require('./gateways');
const {SessionTokens, IN_FLIGHT_MAX} = require('./tokens');

const ATTEMPTS_MAX = 5;
const BACKOFF_BASE = 20;
const BACKOFF_MAX = 2000;
const MESSAGE_BYTES_MAX = 16 << 20;  // a page is 3 MiB of values, and its keys come on top
const CHANNEL_OPTIONS = {
  'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
  'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 500,
};

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// A call that failed. `code` is the name of the gRPC code ("INVALID_ARGUMENT"), `reason` a stable
// word ("LIMIT_EXCEEDED"; empty if the gateway did not answer), `metadata` what it is about,
// `retryDelay` the milliseconds that the server asks to wait before the next try, or undefined.
class HomeportError extends Error {
  constructor(code, reason, message, metadata = {}, retryDelay = undefined) {
    super(reason ? `${code} (${reason}): ${message}` : `${code}: ${message}`);
    Object.assign(this, {name: 'HomeportError', code, reason, metadata, retryDelay});
  }

  // The gateway itself has answered, if only with an error.
  get answered() {
    return this.reason !== '' ||
        !['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED'].includes(this.code);
  }

  // Refused before anything was done; the same gateway may take it later.
  get busy() {
    return this.reason === 'OVERLOADED' || (this.retryDelay !== undefined &&
        ['RESOURCE_EXHAUSTED', 'UNAVAILABLE'].includes(this.code));
  }

  // Refused before anything was done; another gateway may take it.
  get turnedAway() {
    return ['DRAINING', 'NO_REGION', 'REGION_UNREACHABLE'].includes(this.reason);
  }

  // A write that ended so may stand all the same.
  get maybeDone() {
    return !this.answered || this.reason === 'OUTCOME_UNKNOWN' ||
        ['UNKNOWN', 'INTERNAL'].includes(this.code);
  }
}

function unknownOutcome(last) {
  if (last.reason === 'OUTCOME_UNKNOWN') return last;
  return new HomeportError('UNAVAILABLE', 'OUTCOME_UNKNOWN', 'the write was not answered, and may ' +
      `have been done; the last attempt ended with: ${last.message}`);
}

// Gateways, best first, and connections to them. `protos` is the folder of the published protos,
// `timeout` every call's deadline in milliseconds unless the call gives its own. A gateway's address
// must be that of one process, not of a balancer before several: writes are sent again by it.
class Client {
  #timeout;
  #credentials;
  #metadata = new grpc.Metadata();
  #service;
  #status;
  #info;
  #retry;
  #stubs = new Map();

  constructor(gateways, {protos, timeout = 5000, followNearest = true, metadata = {},
    credentials = grpc.credentials.createInsecure()}) {
    this.gateways = new GatewayChoice(gateways, {followNearest});
    protos = path.resolve(protos);
    this.#timeout = timeout;
    this.#credentials = credentials;
    for (const [name, value] of Object.entries(metadata)) this.#metadata.set(name, value);
    this.#service = grpc.loadPackageDefinition(loader.loadSync(
        'homeport/v1/key_value.proto', {includeDirs: [protos], keepCase: true,
          enums: String, longs: String, defaults: true})).homeport.v1.KeyValue;
    const root = new protobuf.Root();
    root.resolvePath = (_, target) =>
      (target.startsWith('google/protobuf/') ? null : path.join(protos, target));
    root.loadSync(['google/rpc/status.proto', 'google/rpc/error_details.proto']);
    this.#status = root.lookupType('google.rpc.Status');
    this.#info = root.lookupType('google.rpc.ErrorInfo');
    this.#retry = root.lookupType('google.rpc.RetryInfo');
  }

  // A new session; with `token`, one that has seen what the exported one had.
  session(token = Buffer.alloc(0)) {
    const session = new Session(this);
    session.join(token);
    return session;
  }

  close() {
    for (const stub of this.#stubs.values()) stub.close();
    this.#stubs.clear();
  }

  // Sends `request` by the rules of retries; the reply, or throws HomeportError.
  async call(method, request, {write, timeout = this.#timeout}) {
    const deadline = performance.now() + timeout;
    let maybeDone = false;
    let address = this.gateways.pick(performance.now());
    for (let attempt = 1; ; attempt++) {
      const start = performance.now();
      const left = Math.max(1, deadline - start);
      // A read leaves time for another gateway, should this one say nothing.
      const others = !write && this.gateways.hasOther(address, start);
      const {reply, error, sent} = await this.#attempt(
          address, method, request, others ? left / 2 : left);
      const now = performance.now();
      if (reply) {
        this.gateways.answers(address, now, reply.provenance?.nearest_gateway);
        return reply;
      }
      if (!sent || !error.answered || error.reason === 'DRAINING') {
        this.gateways.failed(address, now, error.code === 'DEADLINE_EXCEEDED');
      } else {
        this.gateways.answers(address, now);
      }
      maybeDone ||= write && sent && error.maybeDone;
      // Of a write that may be done only the replica that has its request id can say, if it is sure
      // to be asked.
      const again = maybeDone ?
        request.options.local_only && (!sent || !error.answered || error.busy || error.turnedAway) :
        !sent || error.busy || error.turnedAway || (!write && error.maybeDone);
      const elsewhere = again && !maybeDone && !(sent && error.busy);
      let wait = error.retryDelay ?? 0;
      if (!elsewhere || attempt > 1) {
        wait += Math.random() * Math.min(BACKOFF_MAX, BACKOFF_BASE * 2 ** (attempt - 1));
      }
      if (!again || attempt === ATTEMPTS_MAX || now + wait >= deadline) {
        throw maybeDone && error.reason !== 'NOT_YET_REPLICATED' ? unknownOutcome(error) : error;
      }
      await sleep(wait);
      if (elsewhere) address = this.gateways.pick(performance.now(), address);
    }
  }

  // {reply} or {error, sent}; `sent`: the gateway may have seen the request.
  async #attempt(address, method, request, ms) {
    const end = Date.now() + ms;
    const stub = this.#stub(address);
    if (!await isUp(stub, end)) {
      return {sent: false, error: new HomeportError('UNAVAILABLE', 'REGION_UNREACHABLE',
          `no gateway answers at ${address}`, {address})};
    }
    return new Promise((resolve) => {
      stub[method](request, this.#metadata, {deadline: Math.max(end, Date.now() + 1)},
          (error, reply) => resolve(
              error ? {error: this.#errorOf(error), sent: true} : {reply, sent: true}));
    });
  }

  #stub(address) {
    if (!this.#stubs.has(address)) {
      this.#stubs.set(address, new this.#service(address, this.#credentials, CHANNEL_OPTIONS));
    }
    return this.#stubs.get(address);
  }

  #errorOf(error) {
    let [reason, metadata, retryDelay] = ['', {}, undefined];
    for (const bytes of error.metadata?.get('grpc-status-details-bin') ?? []) {
      for (const detail of this.#status.decode(bytes).details) {
        if (detail.type_url.endsWith('/google.rpc.ErrorInfo')) {
          ({reason, metadata} = this.#info.decode(detail.value));
        } else if (detail.type_url.endsWith('/google.rpc.RetryInfo')) {
          const delay = this.#retry.decode(detail.value).retryDelay;
          retryDelay = Math.max(0, Number(delay?.seconds ?? 0) * 1000 + (delay?.nanos ?? 0) / 1e6);
        }
      }
    }
    return new HomeportError(grpc.status[error.code], reason, error.details, metadata, retryDelay);
  }
}

// Waits for the connection: until it is up, is refused, or the time is over. A request that meets no
// connection was surely not sent.
function isUp(stub, end) {
  const channel = stub.getChannel();
  return new Promise((resolve) => {
    const look = () => {
      const state = channel.getConnectivityState(true);
      if (state === grpc.connectivityState.READY) return resolve(true);
      if (state === grpc.connectivityState.TRANSIENT_FAILURE || Date.now() >= end) {
        return resolve(false);
      }
      return channel.watchConnectivityState(state, end, look);
    };
    look();
  });
}

// What one user does: reads see the writes and reads before them, in every region.
//
// At most 48 calls run at a time, more wait for their turn. `options` are fields of ReadOptions
// (consistency, max_staleness, targets, local_only, region_choice) or of WriteOptions (local_only,
// region_choice, acknowledged_by_regions), and `key` and `timeout`. A write that was not answered is
// sent again if it is `local_only`; otherwise HomeportError says OUTCOME_UNKNOWN. After HISTORY_LOST,
// TOKEN_FOREIGN or TOKEN_INVALID, told once, the session goes on with what it still can know.
class Session {
  #client;
  #tokens = new SessionTokens();
  #underWay = 0;
  #waiting = [];

  constructor(client) { this.#client = client; }

  // What this session has seen, for `client.session` or `join` elsewhere.
  export() { return this.#tokens.export(); }

  // Adds what another session has seen; throws RangeError if `token` is not an exported one.
  join(token) { this.#tokens.join(token); }

  // The reply's `item` is null if there is none.
  get(namespace, id, {key = '', ...options} = {}) {
    return this.#call('Get', false, {namespace, id, key}, options);
  }

  // `names` are objects of id and key. The reply may have fewer results, of the first names.
  batchGet(namespace, names, options = {}) {
    return this.#call('BatchGet', false, {namespace, names}, options);
  }

  // A record's items in key order, page by page: `for await (const item of session.items(...))`.
  async* items(namespace, id, {prefix, start_key, end_key, page_size, ...options} = {}) {
    const request = {namespace, id, prefix, start_key, end_key, page_size};
    for await (const page of this.#pages('ListItems', request, options)) yield* page.items;
  }

  // The ids of a namespace's records in order, page by page.
  async* records(namespace, {prefix, page_size, ...options} = {}) {
    const request = {namespace, prefix, page_size};
    for await (const page of this.#pages('ListRecords', request, options)) yield* page.ids;
  }

  // `value` is a Buffer or a string; `ttl` is in seconds.
  put(namespace, id, value, {key = '', ttl, ...options} = {}) {
    const request = {namespace, id, key, value: Buffer.from(value)};
    if (ttl !== undefined) {
      request.ttl = {seconds: Math.floor(ttl), nanos: Math.floor((ttl % 1) * 1e9)};
    }
    return this.#call('Put', true, request, options);
  }

  delete(namespace, id, {key = '', ...options} = {}) {
    return this.#call('Delete', true, {namespace, id, key}, options);
  }

  // Adds to a counter.
  add(namespace, id, delta, {key = '', ...options} = {}) {
    return this.mutate(namespace, id, [{key, add: delta}], options);
  }

  // Adds elements to a set and removes elements from it.
  changeSet(namespace, id, {key = '', add = [], remove = [], ...options} = {}) {
    const bytes = (elements) => elements.map((element) => Buffer.from(element));
    return this.mutate(
        namespace, id, [{key, set: {add: bytes(add), remove: bytes(remove)}}], options);
  }

  // Applies changes to one record, all or none.
  mutate(namespace, id, changes, options = {}) {
    return this.#call('Mutate', true, {namespace, id, changes}, options);
  }

  async* #pages(method, request, options) {
    for (let pageToken = ''; ;) {
      const page = await this.#call(method, false, {...request, page_token: pageToken}, options);
      yield page;
      if (!page.next_page_token) return;
      pageToken = page.next_page_token;
    }
  }

  async #call(method, write, request, {timeout, ...options}) {
    if (this.#underWay === IN_FLIGHT_MAX) {
      await new Promise((turn) => { this.#waiting.push(turn); });
    } else {
      this.#underWay += 1;
    }
    try {
      const {bytes, mark} = this.#tokens.toSend();
      const id = write ? {request_id: crypto.randomBytes(16).toString('hex')} : {};
      const whole = {...request, options: {...id, ...options, session_token: bytes}};
      return await this.#send(method, whole, {write, timeout}, mark);
    } finally {
      // The turn goes to the one that waits the longest, if there is one.
      const next = this.#waiting.shift();
      if (next) next(); else this.#underWay -= 1;
    }
  }

  async #send(method, request, how, mark) {
    try {
      const reply = await this.#client.call(method, request, how);
      this.#tokens.answered(mark, reply.session_token);
      return reply;
    } catch (error) {
      if (error.reason === 'HISTORY_LOST' && error.metadata.fresh_token) {
        this.#tokens.answered(mark, Buffer.from(error.metadata.fresh_token, 'base64'));
      } else if (['HISTORY_LOST', 'TOKEN_FOREIGN', 'TOKEN_INVALID'].includes(error.reason)) {
        this.#tokens.drop(mark);
      }
      throw error;
    }
  }
}

module.exports = {Client, Session, HomeportError, GatewayChoice, SessionTokens};
