import { elementOf, type CardHistory, type Indication, type MetClient, type PoolHistory, type PoolView, type SentMessage, type ServiceInstance } from './history.js';

/** What a pool promises to those who use it by single messages, by its names alone, by business cards, or beside somebody slow. A check gives what is wrong, in words. */
export interface PoolInvariant<T> {
  readonly name: string;
  readonly when: 'always' | 'at rest';
  readonly check: (observed: T) => string | undefined;
}

/** Of `rsp.send`, and of sessions that share a link. */
export const poolInvariants: readonly PoolInvariant<PoolHistory>[] = [
  { name: 'every send settles', when: 'at rest', check: each(({ outcome }) => (outcome === undefined ? 'its promise waits' : undefined)) },
  { name: 'nothing sent without failover is handled twice', when: 'always', check: each(handledTwice) },
  { name: 'what was sent effectively-once is answered once', when: 'always', check: each(({ mode, answers }) => (mode === 'effectively-once' && answers.length > 1 ? `${answers.length} answers` : undefined)) },
  { name: 'what was sent with failover is answered', when: 'at rest', check: each(unanswered) },
  { name: 'what was sent without failover is handled, or reported', when: 'at rest', check: each(({ mode, outcome, handledBy, isReported }) => (mode === 'at-most-once' && outcome === 'resolved' && handledBy.length === 0 && !isReported ? 'neither' : undefined)) },
  { name: 'an answer comes from who gave it', when: 'always', check: each(({ answers }, history) => words(answers.find(({ by, from }) => !isOrSucceeds(by, elementOf(from), history)), ({ by, from }) => `${by} answered, and it came from ${from}`)) },
  { name: 'who has it handles it', when: 'always', check: each(({ mode, to, handledBy }, history) => (mode === 'at-most-once' && to !== undefined ? words(handledBy.find((by) => !to.some((id) => isOrSucceeds(by, elementOf(id), history))), (by) => `${to.join(', ')} has it, and ${by} handled it`) : undefined)) },
  { name: 'what was not taken is handled by nobody', when: 'always', check: each(({ isNotTaken, handledBy }) => (isNotTaken && handledBy.length > 0 ? `${handledBy.join(', ')} handled it` : undefined)) },
  { name: 'nobody is sent to who has no data channel', when: 'always', check: each(({ to }, { basic }) => words(to?.find((id) => basic.has(id)), (id) => `it went to ${id}`)) },
  { name: 'to all means to all', when: 'always', check: each(({ kind, owed, to }) => (kind === 'all' && to !== undefined ? words(owed.find((id) => !to.includes(id)), (id) => `${id}, disturbed by nothing, is not among ${to.join(', ')}`) : undefined)) },
  { name: 'a slow session stalls nobody', when: 'always', check: ({ fast }) => words(fast.find((request) => request.isUndisturbed && request.took > STALL), ({ took }) => `a request beside it took ${Math.round(took)} ms`) },
  { name: 'what is kept for a slow session is bounded', when: 'always', check: ({ slow }) => (slow.ahead > MOST_KEPT ? `${slow.ahead} bytes are under way to it` : undefined) },
  { name: 'nobody leaves over a slow session', when: 'always', check: ({ slow }) => words(slow.left, (why) => `a session beside it, or itself, has moved: ${why}`) },
  { name: 'a slow session gets everything in order', when: 'always', check: ({ slow }) => words(slow.got.find((number, index) => number !== index + 1), (number) => `${number} came after ${slow.got.indexOf(number)} others`) },
  { name: 'a slow session gets everything in the end', when: 'at rest', check: ({ slow }) => (slow.got.length < slow.sent ? `${slow.got.length} of ${slow.sent}` : undefined) },
];

/** Of the names that a user holds, at rest. */
export const viewInvariants: readonly PoolInvariant<PoolView>[] = [
  { name: 'a registrar knows the registrations of the living', when: 'at rest', check: ({ living, registrars }) => firstOf(registrars, ({ name, pools }) => differ(pools, living, `${name} knows`, 'there are')) },
  { name: 'a watched cache is what the registrar says', when: 'at rest', check: ({ cache, registrars }) => firstOf(registrars, ({ name, watched }) => differ(cache, watched, 'cached are', `${name} says`)) },
  { name: 'a server in use is in its pool', when: 'at rest', check: ({ callers, registrars }) => firstOf([...callers], ([caller, server]) => firstOf(registrars, ({ name, watched }) => (watched.some((line) => line.startsWith(`${server} `)) ? undefined : `${caller} uses ${server}; ${name} has ${watched.join(', ')}`))) },
];

/** Of a pool user without data services (X-7). */
export const indicationsFair: PoolInvariant<Indication> = {
  name: 'an indication is about the server in use', when: 'always',
  check: ({ caller, from, to, had, isUndisturbed }) => (from !== had ? `${caller} had ${had ?? 'none'}, and is told that ${from} is gone` : from === to ? `${caller} is told to use ${to} in place of itself`
    : isUndisturbed ? `${caller} is told that ${from} is gone, which lives and was disturbed by nothing` : undefined),
};

/** Of business cards. */
export const cardInvariants: readonly PoolInvariant<CardHistory>[] = [
  { name: 'news come once', when: 'always', check: newsOnce },
  { name: 'news come in order', when: 'always', check: newsInOrder },
  { name: 'a client that dies is followed', when: 'at rest', check: ({ instances }) => firstOf(instances, notFollowed) },
];

export const meetingsFair: PoolInvariant<MetClient> = {
  name: 'the preferred order is kept', when: 'always',
  check: ({ to, order, well, isClientWell }) => {
    if (isClientWell) return `${to} is met in the place of a client that lives and was disturbed by nothing`;
    const better = order.slice(0, order.includes(to) ? order.indexOf(to) : order.length).find((id) => well.includes(id));
    return better === undefined ? undefined : `${to} is met, and ${better}, which comes before, was disturbed by nothing`;
  },
};

export const cachesCleared: PoolInvariant<{ readonly element: number; readonly cached: readonly number[]; readonly isOwed: boolean }> = {
  name: 'who was removed leaves the watched caches', when: 'always',
  check: ({ element, cached, isOwed }) => (isOwed && cached.includes(element) ? `${element} is cached, and was removed long ago` : undefined),
};

function each(check: (message: SentMessage, history: PoolHistory) => string | undefined): (history: PoolHistory) => string | undefined {
  return (history) => firstOf([...history.sent.values()], (message) => check(message, history)?.replace(/^/, `message ${message.number} to ${message.kind}, ${message.mode}: `));
}

/** An element's name stands for its address: who was started again there answers for its predecessor, until that one is removed. */
const isOrSucceeds = (element: number, named: number, { hosts }: PoolHistory): boolean => element === named || (element > named && hosts.has(named) && hosts.get(element) === hosts.get(named));

function handledTwice({ mode, kind, handledBy }: SentMessage, { carriers }: PoolHistory): string | undefined {
  if (mode !== 'at-most-once') return undefined;
  const isTooMuch = kind === 'all' ? handledBy.some((by) => handledBy.filter((other) => other === by).length > (carriers.get(by) ?? 1)) : handledBy.length > 1;
  return isTooMuch ? `handled by ${handledBy.join(', ')}` : undefined;
}

function unanswered({ mode, outcome, answers, isReported }: SentMessage): string | undefined {
  return mode !== 'at-most-once' && outcome === 'resolved' && answers.length === 0 && !isReported ? 'no answer' : undefined;
}

function newsOnce({ received }: CardHistory): string | undefined {
  const seen = new Set<string>();
  for (const { instance, number, client } of received) {
    const one = `${instance} ${number}`;
    if (seen.has(one)) return `${one} came twice, now to ${client}`;
    seen.add(one);
  }
  return undefined;
}

function newsInOrder({ received }: CardHistory): string | undefined {
  const last = new Map<string, number>();
  for (const { instance, number, client } of received) {
    const way = `${instance} > ${client}`;
    if (number < (last.get(way) ?? 0)) return `${client} got ${number} of ${instance} late`;
    last.set(way, number);
  }
  return undefined;
}

/** Its service has seen that it is gone, and knew its pool. */
function notFollowed({ name, isClientDead, hasCard, met, end, isLeaving, hadSlept }: ServiceInstance): string | undefined {
  if (!isClientDead || !hasCard || met > 0 || isLeaving || hadSlept || end === 'RENDEZVOUS_FAILED') return undefined;
  return `${name}: its client died, and it ${end === undefined ? 'waits' : `ended (${end})`}`;
}

function differ(a: readonly string[], b: readonly string[], as: string, bs: string): string | undefined {
  const [left, right] = [[...a].sort().join(', '), [...b].sort().join(', ')];
  return left === right ? undefined : `${as} ${left}; ${bs} ${right}`;
}

function firstOf<T>(items: readonly T[], check: (item: T, index: number) => string | undefined): string | undefined {
  for (const [index, item] of items.entries()) {
    const wrong = check(item, index);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

const words = <T>(found: T | undefined, say: (found: T) => string): string | undefined => (found === undefined ? undefined : say(found));

/** Many round trips, and some that are lost. */
const STALL = 1_000;
/** 4 MiB of credit, 1 MiB of replies that wait for it (D-21), and the message in handling. */
const MOST_KEPT = 6 * 0x10_0000;
