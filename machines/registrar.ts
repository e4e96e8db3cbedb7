import { emit, fromCallback, setup } from 'xstate';

/** The role of a registrar (ENRP server). RFC 5353 §3.2. Alone it serves at once; finding a mentor, listing peers and downloading the
 *  handlespace take their place between `starting` and `serving`. */
export const registrarMachine = setup({
  types: {} as { context: RegistrarInput; events: RegistrarEvent; input: RegistrarInput; emitted: RegistrarOrder },
  actors: {
    /** Owns the keep-alive charts of all pool elements, as root actors (they may be 100 000), and ends them all when it is stopped. */
    keepAlives: fromCallback<{ type: 'close' }, RegistrarInput>(({ input }) => input.openKeepAlives()),
  },
  actions: {
    listen: emit({ type: 'order.listen' }),
    stopListening: emit({ type: 'order.stopListening' }),
    report: emit((_, params: { error: unknown }) => ({ type: 'error.report' as const, ...params })),
  },
}).createMachine({
  id: 'registrar',
  context: ({ input }) => input,
  initial: 'starting',
  states: {
    starting: { entry: 'listen', on: { listening: 'serving', 'listen.failed': { target: 'stopped', actions: { type: 'report', params: ({ event }) => ({ error: event.error }) } } } },
    serving: {
      invoke: {
        src: 'keepAlives', id: 'keepAlives', input: ({ context }) => context,
        onError: { target: 'serving', reenter: true, actions: { type: 'report', params: ({ event }) => ({ error: event.error }) } },
      },
      on: { close: 'draining' },
    },
    draining: { entry: 'stopListening', on: { closed: 'stopped' } },
    stopped: { type: 'final' },
  },
  on: { close: '.stopped' },
});

export interface RegistrarInput {
  /** @returns what ends them. */
  readonly openKeepAlives: () => () => void;
}
export type RegistrarEvent = { type: 'listening' } | { type: 'listen.failed'; error: unknown } | { type: 'close' } | { type: 'closed' };
export type RegistrarOrder = { type: 'order.listen' } | { type: 'order.stopListening' } | { type: 'error.report'; error: unknown };
