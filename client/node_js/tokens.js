'use strict';
// What a session has seen, as tokens that a client can not read.
//
// A reply's token covers those that its request carried. So it takes their place; tokens of replies
// that came in the meantime stay beside it, and the next request carries them all: the byte 2, a
// byte with how many there are, then each token's length in two bytes, little endian, and the token.

const IN_FLIGHT_MAX = 48;  // requests of one session; more tokens than this are then never held
const JOINED_MAX = 16;     // of other sessions, between two replies
const BUNDLED_MAX = IN_FLIGHT_MAX + JOINED_MAX;

function bundle(tokens) {
  if (tokens.length < 2) return Buffer.concat(tokens);
  const parts = [Buffer.from([2, tokens.length])];
  for (const token of tokens) parts.push(Buffer.from([token.length & 255, token.length >> 8]), token);
  return Buffer.concat(parts);
}

// The tokens of a bundle; throws RangeError if it is not one.
function split(joined) {
  if (joined.length === 0) return [];
  if (joined[0] !== 2) return [joined];
  const tokens = [];
  let at = 2;
  while (at < joined.length) {
    const length = at + 2 <= joined.length ? joined.readUInt16LE(at) : 0;
    const token = joined.subarray(at + 2, at + 2 + length);
    if (length === 0 || token.length !== length) throw new RangeError('the session token is cut');
    tokens.push(token);
    at += 2 + length;
  }
  if (tokens.length === 0 || tokens.length !== joined[1] || tokens.length > BUNDLED_MAX) {
    throw new RangeError('the session token is cut');
  }
  return tokens;
}

class SessionTokens {
  #held = [];  // {number, token, joined}
  #next = 1;
  #sent = false;

  // What a request carries: the bytes, and a mark to be given back with its end.
  toSend() {
    this.#sent = true;
    return {bytes: this.export(), mark: this.#next};
  }

  // The token of a reply, or the fresh one of HISTORY_LOST, takes the place of what the request
  // carried.
  answered(mark, token) {
    if (token.length === 0) return;
    this.drop(mark);
    if (!this.#has(token)) this.#held.push({number: this.#next, token, joined: false});
    this.#next += 1;
  }

  // What was carried is of another cluster, or damaged.
  drop(mark) {
    this.#held = this.#held.filter((held) => held.number >= mark);
  }

  // Adds what another session has seen; throws RangeError if that is damaged, or too much.
  join(exported) {
    const added = split(Buffer.from(exported)).filter((token) => !this.#has(token));
    const fresh = !this.#sent && this.#held.length === 0;
    if (!fresh && this.#held.filter((held) => held.joined).length + added.length > JOINED_MAX) {
      throw new RangeError(`more than ${JOINED_MAX} session tokens joined without a reply`);
    }
    for (const token of added) this.#held.push({number: this.#next++, token, joined: true});
  }

  export() {
    return bundle(this.#held.map((held) => held.token));
  }

  #has(token) {
    return this.#held.some((held) => held.token.equals(token));
  }
}

module.exports = {SessionTokens, bundle, split, IN_FLIGHT_MAX, JOINED_MAX};
