import { emit, fromCallback, setup } from 'xstate';

/** The role of a registrar (ENRP server). RFC 5353 §3.2. Alone it serves at once; finding a mentor, listing its peers and downloading the
 *  handlespace take their place between `starting` and `serving`. There is no way to leave in order: pool elements hunt when it drains. */
export const registrarMachine = setup({
  types: {} as { context: RegistrarInput; events: RegistrarEvent; input: RegistrarInput; emitted: RegistrarOrder },
  actors: {
    /** Owns the keep-alive charts of all pool elements, as root actors (they may be 100 000), and ends them all when it is stopped. */
    keepAlives: fromCallback<{ type: 'close' }, RegistrarInput>(({ input }) => input.openKeepAlives()),
  },
  actions: {
    listen: emit({ type: 'order.listen' }),
    leave: emit({ type: 'order.leave' }),
    report: emit((_, params: { error: unknown }) => ({ type: 'error.report' as const, ...params })),
  },
}).createMachine({
  id: 'registrar',
  context: ({ input }) => input,
  initial: 'starting',
  invoke: {
    src: 'keepAlives', id: 'keepAlives', input: ({ context }) => context,
    onError: { target: '.draining', actions: { type: 'report', params: ({ event }) => ({ error: event.error }) } }, // nobody would be removed any more
  },
  states: {
    starting: {
      entry: 'listen',
      on: { listening: 'serving', 'listen.failed': 'draining', close: 'draining' },
    },
    serving: { on: { close: 'draining' } },
    draining: { entry: 'leave', on: { closed: 'stopped' } },
    stopped: { type: 'final' },
  },
});

export interface RegistrarInput {
  /** @returns what ends them. */
  readonly openKeepAlives: () => () => void;
}
export type RegistrarEvent = { type: 'listening' } | { type: 'listen.failed' } | { type: 'close' } | { type: 'closed' };
/** `order.leave`: accept no more, end the associations once what is queued is written. */
export type RegistrarOrder = { type: 'order.listen' } | { type: 'order.leave' } | { type: 'error.report'; error: unknown };
