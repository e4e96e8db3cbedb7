/** The service of the simulation: a counter that remembers all it has seen, so that whatever is lost, doubled or put in another order shows in every later reply. */

export interface CounterState {
  readonly count: number;
  readonly digest: number;
}

export const unused: CounterState = { count: 0, digest: 0x811c9dc5 };

export function counted({ count, digest }: CounterState, message: string): CounterState {
  let hash = digest;
  for (let index = 0; index < message.length; index += 1) hash = Math.imul(hash ^ message.charCodeAt(index), 0x01000193) >>> 0;
  return { count: count + 1, digest: hash };
}

export const stateText = ({ count, digest }: CounterState): string => `${count}/${digest.toString(16).padStart(8, '0')}`;

export function stateOf(cookie: string): CounterState {
  const [count, digest] = cookie.split('/');
  return { count: Number(count), digest: Number.parseInt(digest ?? '', 16) };
}

/** Number of a message: its text begins with it. */
export const numberOf = (message: string): number => Number.parseInt(message, 10);

/** Most messages have one reply, some none, some two. */
export function repliesTo(message: string, state: CounterState): string[] {
  const number = numberOf(message);
  const count = number % 7 === 3 ? 0 : number % 5 === 2 ? 2 : 1;
  return Array.from({ length: count }, (_, index) => `${number}.${index} ${stateText(state)}`);
}

/** What a counter that never failed says to these messages. */
export function reference(messages: readonly string[]): { readonly replies: readonly string[]; readonly state: CounterState } {
  let state = unused;
  const replies = messages.flatMap((message) => {
    state = counted(state, message);
    return repliesTo(message, state);
  });
  return { replies, state };
}

/** What a stateless service says: it knows the message alone. */
export const statelessReplies = (message: string): string[] => repliesTo(message, counted(unused, message));
