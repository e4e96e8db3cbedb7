import { UsageError } from '../errors.js';

/** Timers and thresholds by the RFCs' names (RFC 5352 §7, RFC 5353 §4.2), with ours beside them: one table, two presets. `quick` is the default: failover
 *  in tenths of a second. `rfc` has the values the RFCs call normal, and RSPLIB's where they name none. */
const table = {
  /** T1-ENRPrequest: a request to the home registrar waits so long for its answer before it is sent again (5352 §7.1). */
  t1EnrpRequest: ms(500, 15_000),
  /** T2-registration (5352 §7.1). */
  t2Registration: ms(1_000, 30_000),
  /** T3-deregistration (5352 §7.1). */
  t3Deregistration: ms(1_000, 30_000),
  /** T4-reregistration: the most that passes between two re-registrations (5352 §7.1). */
  t4Reregistration: ms(60_000, 600_000),
  /** The part of the registration life after which a re-registration is due at the latest; `rfc` keeps 20 s instead, half of a life below 40 s (X-32). */
  t4Share: share(1 / 3, 1),
  /** T5-Serverhunt: how long a hunt waits for a set of registrars before it tries another; doubled each time (5352 §3.6). */
  t5ServerHunt: ms(500, 10_000),
  /** T6-Serverannounce (5352 §7.1). */
  t6ServerAnnounce: ms(1_000, 1_000),
  /** T7-ENRPoutdate (5352 §7.1). */
  t7EnrpOutdate: ms(5_000, 5_000),
  /** RETRAN.max: the most any back-off grows to (5352 §7.3, X-18). */
  retranMax: ms(10_000, 60_000),
  /** MAX-REG-ATTEMPT: registrations without an answer before the user is told (5352 §7.3, X-18). */
  maxRegAttempt: count(2, 2),
  /** MAX-REQUEST-RETRANSMIT: how often a request is sent again before its user is told (5352 §7.3). */
  maxRequestRetransmit: count(2, 2),
  /** Registration Life where `register` does not say: a PE that dies unnoticed is gone after so long (5354 §3.10). */
  registrationLife: ms(30_000, 300_000),
  /** How long an operation waits for a registrar before it gives up. */
  registrarWait: ms(4_000, 60_000),
  /** Silence of the home registrar after which a PE hunts for another; after a half to two thirds of it the PE asks by re-registering (X-1). */
  homeSilence: ms(1_500, 61_000),
  /** stale_cache_value: a pool's elements are known for so long without asking again (5352 §7.2). */
  staleCacheValue: ms(5_000, 5_000),
  /** The least between two resolutions of one pool handle. */
  resolutionInterval: ms(100, 1_000),
  /** A pool element reported unreachable is not picked for about so long, while others are there. */
  suspicion: ms(5_000, 5_000),
  /** PEER-HEARTBEAT-CYCLE (5353 §4.2). */
  peerHeartbeatCycle: ms(300, 30_000),
  /** MAX-TIME-LAST-HEARD: a silent peer registrar is asked after so long (5353 §4.2). */
  maxTimeLastHeard: ms(1_000, 61_000),
  /** MAX-TIME-NO-RESPONSE: and is dead when it has not answered within this (5353 §4.2). */
  maxTimeNoResponse: ms(400, 5_000),
  /** A registrar that starts looks for a mentor for so long, before it serves alone and goes on looking (5353 §3.2.2, X-22). */
  mentorDiscovery: ms(1_000, 5_000),
  /** A registrar that has acknowledged another's takeover waits for its end for so long, before it watches the target again (X-20). */
  takeoverExpiry: ms(1_500, 10_000),
  /** A registrar that leaves waits so long at most for its PEs to be with their new home (X-40). */
  handOver: ms(1_000, 5_000),
  /** Between two ASAP_ENDPOINT_KEEP_ALIVE to one PE, give or take half (5352 §3.5). */
  keepAlivePeriod: ms(2_000, 5_000),
  /** A PE has so long to acknowledge one. */
  keepAliveTimeout: ms(1_000, 5_000),
  /** Keep-alives a second a registrar sends at most; with more PEs the period grows. */
  keepAliveRate: count(5_000, 5_000),
  /** MAX-BAD-PE-REPORT: reports of unreachability a PE survives while it acknowledges keep-alives (5352 §3.5, X-14). */
  maxBadPeReport: count(3, 3),
  /** Data channel: a heartbeat where nothing else was sent for so long (D-28). */
  heartbeat: ms(100, 100),
  /** Data channel: silence that means down (D-28). */
  silence: ms(500, 500),
  /** Data channel, and every other connection: time for it to come up. */
  connectTimeout: ms(1_000, 1_000),
  /** A `cookie` handler has so long before the session is tried at another PE. */
  cookieHandlerTimeout: ms(10_000, 10_000),
  /** An `onFailover` callback has so long. */
  callbackTimeout: ms(10_000, 10_000),
  /** Sessions have so long to move when a PE drains (D-27). */
  drainTimeout: ms(10_000, 10_000),
  /** A state cookie older than this is stale (D-25). */
  cookieLife: ms(3_600_000, 3_600_000),
} as const;

/** Milliseconds, but for the counts (`max...`, `keepAliveRate`) and `t4Share`, a fraction. */
export type Timers = { readonly [Name in keyof typeof table]: number };
export type TimerPreset = 'quick' | 'rfc';
/** A preset, or values that replace those of `quick`. */
export type TimerOptions = TimerPreset | Partial<Timers>;

export const quickTimers: Timers = preset('quick');
export const rfcTimers: Timers = preset('rfc');

/** @throws UsageError INVALID_OPTION for an unknown name, a value out of range, or values that contradict each other. */
export function resolveTimers(options: TimerOptions = 'quick'): Timers {
  if (options === 'quick') return quickTimers;
  if (options === 'rfc') return rfcTimers;
  if (typeof options !== 'object' || options === null || Array.isArray(options)) throw invalid("timers is 'quick', 'rfc' or an object");
  for (const [name, value] of Object.entries(options)) if (value !== undefined) checkValue(name, value);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const timers: Timers = { ...quickTimers, ...given };
  for (const [holds, rule] of rules) if (!holds(timers)) throw invalid(`timers: ${rule} (now ${rule.match(/\w+/g)?.filter(isName).map((name) => `${name} = ${timers[name]}`).join(', ')})`);
  return timers;
}

/** What must hold between them, each rule written with the names it concerns. */
const rules: readonly (readonly [(timers: Timers) => boolean, string])[] = [
  [(t) => t.t5ServerHunt <= t.retranMax, 't5ServerHunt is at most retranMax'],
  [(t) => t.resolutionInterval <= t.staleCacheValue, 'resolutionInterval is at most staleCacheValue'],
  [(t) => t.keepAliveTimeout <= t.keepAlivePeriod, 'keepAliveTimeout is at most keepAlivePeriod'],
  [(t) => 2 * t.heartbeat < t.silence, 'silence is more than twice heartbeat'],
  [(t) => t.peerHeartbeatCycle < t.maxTimeLastHeard, 'maxTimeLastHeard is more than peerHeartbeatCycle'],
];

interface Row { readonly quick: number; readonly rfc: number; readonly unit: 'ms' | 'count' | 'share' }

function ms(quick: number, rfc: number): Row { return { quick, rfc, unit: 'ms' }; }
function count(quick: number, rfc: number): Row { return { quick, rfc, unit: 'count' }; }
function share(quick: number, rfc: number): Row { return { quick, rfc, unit: 'share' }; }

function preset(which: TimerPreset): Timers {
  return Object.freeze(Object.fromEntries(Object.entries(table).map(([name, row]) => [name, row[which]]))) as unknown as Timers;
}

const isName = (name: string): name is keyof Timers => Object.hasOwn(table, name);

const LONGEST_DELAY = 0x7fff_ffff; // Node expires a longer one at once

function checkValue(name: string, value: unknown): void {
  if (!isName(name)) throw invalid(`timers: ${name} is unknown; known are ${Object.keys(table).join(', ')}`);
  const { unit } = table[name];
  if (typeof value !== 'number' || Number.isNaN(value)) throw invalid(`timers: ${name} is a number, not ${typeof value}`);
  if (unit === 'ms' && !(value > 0 && value <= LONGEST_DELAY)) throw invalid(`timers: ${name} is ${value}; it takes more than 0 and at most ${LONGEST_DELAY} milliseconds`);
  if (unit === 'count' && !(Number.isSafeInteger(value) && value >= (name === 'keepAliveRate' ? 1 : 0))) throw invalid(`timers: ${name} is ${value}; it takes a whole number`);
  if (unit === 'share' && !(value > 0 && value <= 1)) throw invalid(`timers: ${name} is ${value}; it takes more than 0 and at most 1`);
}

const invalid = (message: string): UsageError => new UsageError('INVALID_OPTION', message);
