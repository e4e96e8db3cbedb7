import { resolutionMachine, type ResolutionContext, type ResolutionInput } from '../../machines/resolution.js';
import type { AsapMessageOf } from '../../wire/index.js';
import { drive, type Driven } from '../support/drive.js';
import { anyActor, middle, onNoPath, poolHandle, registrationOf, rfc } from './support.js';

let now = 0;
let isWatched = false;
beforeEach(() => { now = 0; isWatched = false; });
const input = (given: Partial<ResolutionInput> = {}): ResolutionInput => ({ home: anyActor('home'), poolHandle: 'echo', timers: rfc, now: () => now, isWatched: () => isWatched, fraction: middle, ...given });
type Resolution = Driven<typeof resolutionMachine>;
const resolution = (given?: Partial<ResolutionInput>): Resolution => drive(resolutionMachine, input(given));

const found = { type: 'home.found', change: 'found' } as const;
const sameHome = { type: 'home.found', change: 'none' } as const;
const answer = (given: Partial<AsapMessageOf<'ASAP_HANDLE_RESOLUTION_RESPONSE'>> = {}): AsapMessageOf<'ASAP_HANDLE_RESOLUTION_RESPONSE'> =>
  ({ type: 'ASAP_HANDLE_RESOLUTION_RESPONSE', flags: { acceptUpdates: false }, poolHandle, poolElements: [registrationOf().poolElement], ...given });
const unknown = answer({ poolElements: [], error: [{ cause: 'unknown-pool-handle' }] });
const subscription = answer({ flags: { acceptUpdates: true } });
const refused = answer({ poolElements: [], error: [{ cause: 'lack-of-resources' }] });

const requesting = (given?: Partial<ResolutionInput>): Resolution => {
  const driven = resolution(given);
  driven.send({ type: 'resolution.request' });
  driven.send(found);
  return driven;
};
const cached = (given?: Partial<ResolutionInput>): Resolution => {
  const driven = requesting(given);
  driven.send(answer());
  return driven;
};

describe('handle resolution (RFC 5352 §3.3)', () => {
  // proves 5352-3.3-b
  it('NR2: asks for a home registrar first', () => {
    const driven = resolution();
    expect(driven.send({ type: 'resolution.request' })).toEqual(['send home.seek', 'start registrar-wait 60000']);
    expect(driven.sent).toEqual([expect.objectContaining({ why: 'none' })]);
  });

  // proves 5352-3.3-a, 5352-3.3-e, 5356-5.1.3-b, 5356-5.3.3-b
  it('NR1, NR3, NR4: sends ASAP_HANDLE_RESOLUTION and starts T1', () => {
    const driven = resolution();
    driven.send({ type: 'resolution.request' });
    expect(driven.send(found)).toEqual(['cancel registrar-wait', 'send ASAP_HANDLE_RESOLUTION', 'start T1-ENRPrequest 15000']);
    expect(driven.sent).toEqual([{ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle }]);
  });

  // proves 5352-3.3-i, 5352-3.3-m
  it('stops T1 at the answer; the answer is good for stale_cache_value', () => {
    expect(requesting().send(answer())).toEqual(['cancel T1-ENRPrequest', 'emit resolution.cached', 'start stale_cache_value 5000']);
  });

  it('asks once for all who want it meanwhile', () => {
    const driven = resolution();
    driven.send({ type: 'resolution.request' });
    expect(driven.send({ type: 'resolution.request' })).toEqual([]);
    driven.send(found);
    expect(driven.send({ type: 'resolution.request' })).toEqual([]);
  });

  // proves 5352-3.3-f, 5352-3.7.2-a, 5352-3.7.2-b
  it('§3.7.2: when T1 expires it asks again and has a hunt begin, MAX-REQUEST-RETRANSMIT times; then the user is told', () => {
    const driven = requesting();
    for (let time = 0; time < 2; time += 1) {
      expect(driven.expire('T1-ENRPrequest')).toEqual(['send home.seek', 'send ASAP_HANDLE_RESOLUTION', 'start T1-ENRPrequest 15000']);
      expect(driven.sent[0]).toMatchObject({ why: 'T1-ENRPrequest' });
    }
    expect(driven.expire('T1-ENRPrequest')).toEqual(['send home.seek', 'emit resolution.failed T1-ENRPrequest']);
    expect(driven.state).toBe('idle');
  });

  // proves 5352-3.3-h, 5352-3.7.2-c
  it('§3.7.2: repeats the request at an alternate registrar that has been adopted', () => {
    const driven = requesting();
    driven.expire('T1-ENRPrequest');
    expect(driven.send(found)).toEqual(['cancel T1-ENRPrequest', 'send ASAP_HANDLE_RESOLUTION', 'start T1-ENRPrequest 15000']);
    expect(driven.send(sameHome)).toEqual([]);
  });

  // proves 5352-3.3-g, 5352-3.3-h, 5352-3.7.1-a, 5352-3.7.1-b, 5352-3.7.1-c, 5352-3.7.1-e
  it.each(['home.lost', 'transport.sendFailure'] as const)('§3.7.1: after %s it waits for another home, and asks there', (type) => {
    const driven = requesting();
    expect(driven.send({ type })).toEqual(['cancel T1-ENRPrequest', 'send home.seek', 'start registrar-wait 60000']);
    expect(driven.send(found)).toContain('send ASAP_HANDLE_RESOLUTION');
  });

  it('waits for a registrar for a bounded time', () => {
    const driven = resolution();
    driven.send({ type: 'resolution.request' });
    expect(driven.expire('registrar-wait')).toEqual(['emit resolution.failed T1-ENRPrequest']);
    expect(driven.state).toBe('idle');
  });

  it('0x9: an unknown pool handle is an answer, given at once', () => {
    expect(requesting().send(unknown)).toEqual(['cancel T1-ENRPrequest', 'emit resolution.unknown']);
  });

  // proves 5352-2.2.6-b
  it('X-33: a positive answer without elements is none', () => {
    expect(requesting().send(answer({ poolElements: [] }))).toContain('emit resolution.unknown');
  });

  it('another error is told with its causes; what was known stays, as stale', () => {
    const driven = requesting();
    expect(driven.send(refused)).toEqual(['cancel T1-ENRPrequest', 'emit resolution.refused']);
    expect([driven.state, driven.emitted]).toEqual(['idle', [{ type: 'resolution.refused', causes: [{ cause: 'lack-of-resources' }] }]]);
    const knowing = cached();
    knowing.expire('stale_cache_value');
    knowing.send({ type: 'resolution.request' });
    knowing.send(sameHome);
    knowing.send(refused);
    expect(knowing.state).toBe('stale');
  });
});

describe('the cache (RFC 5352 §3.3 C1 to C4)', () => {
  // proves 5352-3.3-m, 5352-3.3-n
  it('C2, C3: a stale entry is asked for again when somebody wants it, not before', () => {
    const driven = cached();
    expect(driven.expire('stale_cache_value')).toEqual(['emit resolution.stale']);
    expect([driven.state, driven.timers]).toEqual(['stale', []]);
    expect(driven.send({ type: 'resolution.request' })).toContain('send home.seek');
  });

  it('entries do not all become stale at the same moment', () => {
    const delays = [0, 0.5, 0.99].map((fraction) => requesting({ fraction: () => fraction }).send(answer()).at(-1));
    expect(delays).toEqual(['start stale_cache_value 4500', 'start stale_cache_value 5000', 'start stale_cache_value 5490']);
  });

  it('keeps what is known when no registrar answers', () => {
    const driven = cached();
    driven.expire('stale_cache_value');
    driven.send({ type: 'resolution.request' });
    driven.expire('registrar-wait');
    expect(driven.state).toBe('stale');
  });

  it('questions about one handle come no closer than resolution-interval: a negative answer is asked for again then, never given from memory', () => {
    const driven = requesting();
    driven.send(unknown);
    now = 400;
    expect(driven.send({ type: 'resolution.request' })).toEqual(['start resolution-interval 600']);
    expect(driven.expire('resolution-interval')).toContain('send home.seek');
    const fresh = cached();
    expect(fresh.send({ type: 'resolution.request' })).toEqual(['cancel stale_cache_value', 'start resolution-interval 1000']);
  });

  it('asks at once where the last answer is older than that', () => {
    const driven = cached();
    now = 1_000;
    expect(driven.send({ type: 'resolution.request' })).toContain('send home.seek');
    const negative = requesting();
    negative.send(unknown);
    now = 2_000;
    expect(negative.send({ type: 'resolution.request' })).toContain('send home.seek');
  });

  it('§2.2.5: takes an update unasked for', () => {
    const driven = cached();
    expect(driven.send(answer())).toEqual(['cancel stale_cache_value', 'emit resolution.cached', 'start stale_cache_value 5000']);
    expect(driven.send(unknown)).toEqual(['cancel stale_cache_value', 'emit resolution.unknown']);
  });

  // proves 5352-6.4-a
  it('§6.4: a purge forgets, but never who waits', () => {
    const driven = cached();
    expect(driven.send({ type: 'cache.purge' })).toEqual(['cancel stale_cache_value']);
    expect(driven.state).toBe('idle');
    expect(requesting().send({ type: 'cache.purge' })).toEqual([]);
  });
});

describe('updates (S and A bits, RFC 5352 §2.2.5, §2.2.6, X-33)', () => {
  const subscribed = (): Resolution => {
    isWatched = true;
    const driven = requesting();
    expect(driven.sent).toEqual([{ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: true }, poolHandle }]);
    driven.send(subscription);
    return driven;
  };

  it('while somebody watches, questions have the S bit; the A bit says that updates will come', () => {
    const driven = subscribed();
    expect([driven.state, driven.emitted, driven.timers]).toEqual(['subscribed', [{ type: 'resolution.cached', isSubscribed: true }], ['subscription-renewal']]);
  });

  it('nobody watches: no S bit, and what comes is an answer like any other', () => {
    const driven = cached();
    expect([driven.state, driven.emitted]).toEqual(['cached', [{ type: 'resolution.cached', isSubscribed: false }]]);
  });

  it('who begins to watch asks at once, but never sooner than the interval; so does who watched before the answer to an older question came', () => {
    const driven = cached();
    isWatched = true;
    now = 1_000;
    expect(driven.send({ type: 'resolution.watch' })).toContain('send home.seek');
    isWatched = false;
    now = 0;
    const early = requesting();
    isWatched = true;
    expect(early.send({ type: 'resolution.watch' })).toEqual([]);
    expect(early.send(answer())).toContain('start resolution-interval 1000');
    expect(early.expire('resolution-interval')).toContain('send home.seek');
    early.send(sameHome);
    expect(early.sent).toContainEqual(expect.objectContaining({ flags: { sendUpdates: true } }));
    const idle = resolution();
    expect(idle.send({ type: 'resolution.watch' })).toContain('send home.seek');
  });

  it('each update is told, and the renewal waits anew', () => {
    const driven = subscribed();
    expect(driven.send(subscription)).toEqual(['cancel subscription-renewal', 'emit resolution.cached', 'start subscription-renewal 2250']);
  });

  it('is confirmed twice within the stale cache value: a registrar may be frozen', () => {
    const driven = subscribed();
    expect(driven.expire('subscription-renewal')).toEqual(['send home.seek', 'start registrar-wait 60000']);
    driven.send(sameHome);
    expect(driven.send(subscription)).toContain('start subscription-renewal 2250');
  });

  it('when nobody watches any more it becomes stale like any other', () => {
    const driven = subscribed();
    isWatched = false;
    now = 2_250;
    expect(driven.expire('subscription-renewal')).toEqual(['start stale_cache_value 2750']);
    driven.expire('stale_cache_value');
    expect([driven.state, driven.timers]).toEqual(['stale', []]);
  });

  it('is asked for again at a new registrar, not by all at the same moment', () => {
    const driven = subscribed();
    expect(driven.send(sameHome)).toEqual([]);
    expect(driven.send(found)).toEqual(['cancel subscription-renewal', 'start resubscription 500']);
    expect(driven.expire('resubscription')).toContain('send home.seek');
    driven.send(sameHome);
    expect(driven.sent).toContainEqual(expect.objectContaining({ flags: { sendUpdates: true } }));
    const denied = subscribed();
    denied.send(answer());
    expect(denied.state).toBe('cached');
    expect(denied.send(found)).toContain('start resubscription 500');
  });

  it('its registrar lost, it looks for another', () => {
    const driven = subscribed();
    expect(driven.send({ type: 'home.lost' })).toEqual(['cancel subscription-renewal', 'send home.seek', 'start registrar-wait 60000']);
    expect(driven.sent).toEqual([expect.objectContaining({ why: 'transport.down' })]);
    expect(driven.expire('registrar-wait')).toEqual(['emit resolution.failed T1-ENRPrequest', 'start watch-pause 750']);
    expect(driven.send(found)).toEqual(['cancel watch-pause', 'start resubscription 500']);
  });

  it('unwatched, it keeps what it has when its registrar is lost or changed', () => {
    for (const event of [{ type: 'home.lost' }, found] as const) {
      const driven = subscribed();
      isWatched = false;
      expect(driven.send(event)).toEqual(['cancel subscription-renewal', 'start stale_cache_value 5000']);
      expect(driven.send({ type: 'home.found', change: 'found' })).toEqual([]);
    }
  });

  it('a registrar that grants no updates is asked whenever the answer has become stale', () => {
    isWatched = true;
    const driven = requesting();
    driven.send(answer());
    expect(driven.expire('stale_cache_value')).toEqual(['emit resolution.stale', 'start watch-pause 750']);
    expect(driven.expire('watch-pause')).toContain('send home.seek');
  });

  it('a vanished pool ends it; whether the pool has come back is asked in growing pauses', () => {
    const driven = subscribed();
    const pauses: (string | undefined)[] = [];
    for (let time = 0; time < 5; time += 1) {
      pauses.push(driven.send(unknown).at(-1));
      driven.expire('watch-pause');
      driven.send(sameHome);
    }
    expect(pauses).toEqual([750, 1_500, 3_000, 3_750, 3_750].map((pause) => `start watch-pause ${pause}`));
    driven.send(subscription);
    expect(driven.send(unknown).at(-1)).toBe('start watch-pause 750');
    isWatched = false;
    driven.expire('watch-pause');
    driven.send(sameHome);
    driven.send(unknown);
    expect([driven.state, driven.timers]).toEqual(['unknown', []]); // nobody asks any more
  });

  it('§6.4: what is watched and purged is asked for at once', () => {
    expect(subscribed().send({ type: 'cache.purge' })).toContain('send home.seek');
  });
});

describe('resolution, as a chart', () => {
  it('has every state and transition on some path', () => {
    const world = (resolutionInterval: number, watched: boolean): ResolutionInput => input({ timers: { ...rfc, maxRequestRetransmit: 1, resolutionInterval }, isWatched: () => watched });
    const cases = { 'home.found': [found, sameHome], ASAP_HANDLE_RESOLUTION_RESPONSE: [answer(), subscription, unknown, refused] };
    const project = ({ repetitions, why, isKnown, answeredAt }: ResolutionContext): unknown => [Math.min(repetitions, 2), why, isKnown, answeredAt];
    expect(onNoPath(resolutionMachine, [world(0, false), world(1_000, false), world(0, true), world(1_000, true)], { cases, project: (context) => project(context as ResolutionContext), limit: 50_000 })).toEqual([]);
  });
});
