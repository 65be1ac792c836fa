'use strict';
// Which gateway is asked next. No I/O: the time, in milliseconds, is passed in.

const GATEWAYS_MAX = 16;
const EJECTION_BASE = 500;   // doubles with each failure in a row
const EJECTION_MAX = 30000;
const TIMEOUTS_MAX = 2;      // in a row
const PROBE_TURN = 10000;    // a probe that nobody reported the end of gives up its turn
const MOVE_INTERVAL = 1000;  // no two moves within this, should two gateways name each other

const newGateway = (address, told = false) =>
  ({address, told, timeouts: 0, ejections: 0, outUntil: 0, probeUntil: 0});
const fit = (gateway, now) =>
  gateway.ejections === 0 || (now >= gateway.outUntil && now >= gateway.probeUntil);

// Gateways, best first: stays with one that answers, moves to a nearer one when told of it, and away
// from one that fails, which comes back by single probes.
class GatewayChoice {
  #gateways;
  #follow;
  #chance;
  #moved = -Infinity;

  constructor(addresses, {followNearest = true, chance = Math.random} = {}) {
    if (addresses.length < 1 || addresses.length > GATEWAYS_MAX) {
      throw new RangeError(`give 1 to ${GATEWAYS_MAX} gateways`);
    }
    this.#gateways = [...new Set(addresses)].map((address) => newGateway(address));
    this.#follow = followNearest;
    this.#chance = chance;
  }

  get preferred() { return this.#gateways[0].address; }

  // An address; `notThis` only if no other is fit.
  pick(now, notThis) {
    const ready = this.#gateways.filter((gateway) => fit(gateway, now));
    const picked = ready.find((gateway) => gateway.address !== notThis) ?? ready[0] ??
        this.#gateways.reduce((a, b) => (b.outUntil < a.outUntil ? b : a));
    if (picked.ejections > 0) picked.probeUntil = now + PROBE_TURN;
    return picked.address;
  }

  hasOther(address, now) {
    return this.#gateways.some((gateway) => gateway.address !== address && fit(gateway, now));
  }

  // It has answered, and names a nearer one or none.
  answers(address, now, nearest = '') {
    const gateway = this.#find(address);
    if (gateway) gateway.timeouts = gateway.ejections = 0;
    // What a stand-in says is nothing new: the preferred one is away.
    if (!this.#follow || nearest === '' || nearest === address || this.preferred !== address ||
        now < this.#moved + MOVE_INTERVAL) {
      return;
    }
    this.#moved = now;
    const there = this.#find(nearest) ?? newGateway(nearest, true);
    const others = this.#gateways.filter((other) => other !== there);
    if (others.length === GATEWAYS_MAX) {
      const oldest = others.findLastIndex((other) => other.told);
      others.splice(oldest === -1 ? others.length - 1 : oldest, 1);
    }
    this.#gateways = [there, ...others];
  }

  failed(address, now, timedOut = false) {
    const gateway = this.#find(address);
    if (!gateway) return;
    if (timedOut && ++gateway.timeouts < TIMEOUTS_MAX && gateway.ejections === 0) return;
    // Requests that were under way together fail together.
    if (gateway.ejections > 0 && now < gateway.outUntil) return;
    const out = Math.min(EJECTION_MAX, EJECTION_BASE * 2 ** Math.min(gateway.ejections, 10));
    gateway.ejections += 1;
    gateway.timeouts = 0;
    gateway.outUntil = now + out + this.#chance() * EJECTION_BASE / 2;
    gateway.probeUntil = now;
  }

  #find(address) { return this.#gateways.find((gateway) => gateway.address === address); }
}

module.exports = {GatewayChoice};
