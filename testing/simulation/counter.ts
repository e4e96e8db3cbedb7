/** The service of the simulation: a counter that remembers all it has seen, so that whatever is lost, doubled or put in another order shows in every later reply. */

export interface CounterState {
  readonly digest: number;
  /** Numbers of the messages, in the order in which they were counted; `3:17` where a die was cast for it, and fell on 17. */
  readonly seen: readonly string[];
}

export const unused: CounterState = { digest: 0x811c9dc5, seen: [] };

/** @param roll of a service that is not deterministic. */
export function counted({ digest, seen }: CounterState, message: string, roll?: number): CounterState {
  let hash = digest;
  const entry = roll === undefined ? '' : `:${roll}`;
  for (const text of [message, entry]) for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return { digest: hash, seen: [...seen, `${numberOf(message)}${entry}`] };
}

export const stateText = ({ digest, seen }: CounterState): string => `${seen.length}/${digest.toString(16).padStart(8, '0')}/${seen.join('.')}`;

export function stateOf(text: string): CounterState {
  const [, digest, seen = ''] = text.split('/');
  return { digest: Number.parseInt(digest ?? '', 16), seen: seen === '' ? [] : seen.split('.') };
}

/** Number of a message: its text begins with it. */
export const numberOf = (message: string): number => Number.parseInt(message, 10);

/** Most messages have one reply, some none, some two. */
export const replyCount = (number: number): number => (number % 7 === 3 ? 0 : number % 5 === 2 ? 2 : 1);

export function repliesTo(message: string, state: CounterState): string[] {
  const number = numberOf(message);
  return Array.from({ length: replyCount(number) }, (_, index) => `${number}.${index} ${stateText(state)}`);
}

/** What a reply says: which it is, and the state it was made in. */
export interface ReadReply { readonly label: string; readonly number: number; readonly state: CounterState }

/** Invariants read the same replies again after every step. */
export function readReply(text: string): ReadReply {
  const known = alreadyRead.get(text);
  if (known !== undefined) return known;
  const [label = '', state = ''] = text.split(' ');
  const reply = { label, number: numberOf(label), state: stateOf(state) };
  if (alreadyRead.size >= MOST_READ) alreadyRead.clear();
  alreadyRead.set(text, reply);
  return reply;
}
const alreadyRead = new Map<string, ReadReply>();
const MOST_READ = 500;

/** What a counter that never failed says to these messages. */
export function reference(messages: readonly string[]): { readonly replies: readonly string[]; readonly state: CounterState } {
  let state = unused;
  const replies = messages.flatMap((message) => {
    state = counted(state, message);
    return repliesTo(message, state);
  });
  return { replies, state };
}

/** The state that comes of what it says it has seen, of these messages and with the dice as they fell. */
export function recounted({ seen }: CounterState, messages: readonly string[]): CounterState {
  return seen.reduce((state, entry) => {
    const [number, roll] = entry.split(':');
    return counted(state, messages[Number(number) - 1] ?? '', roll === undefined ? undefined : Number(roll));
  }, unused);
}

/** What a stateless service says: it knows the message alone. */
export const statelessReplies = (message: string, roll?: number): string[] => repliesTo(message, counted(unused, message, roll));
