import { assign, emit, setup } from 'xstate';
import type { Milliseconds } from '../environment.js';
import { growing } from './random.js';
import type { Timers } from './timers.js';

/** A registrar watches over another one, and over its own copy of what that one owns. RFC 5353 §3.4, §3.6. */
export const registrarPeerMachine = setup({
  types: {} as { context: RegistrarPeerContext; events: RegistrarPeerEvent; input: RegistrarPeerInput; emitted: RegistrarPeerOrder },
  actions: {
    order: emit((_, params: RegistrarPeerOrder) => params),
    spare: assign({ isSpared: true }),
    endSparing: assign({ isSpared: false }),
    countAudit: assign({ audits: ({ context }) => context.audits + 1 }),
    forgetAudits: assign({ audits: 0 }),
  },
  guards: {
    isSilent: ({ context }) => context.silence() >= context.timers.maxTimeLastHeard,
    isHeard: ({ context }) => context.silence() < context.asked(),
    isTooSoon: ({ context }) => context.asked() < context.timers.maxTimeNoResponse, // a thawed registrar runs its timers before it reads
    ownsElements: ({ context }) => context.ownsElements(),
    /** A registrar that suspects most of its peers suspects itself first, for one round. */
    isSpared: ({ context }) => !context.isSpared && context.suspectsItself(),
  },
  delays: {
    'MAX-TIME-LAST-HEARD': ({ context }) => Math.max(1, context.timers.maxTimeLastHeard - context.silence()),
    'MAX-TIME-NO-RESPONSE': ({ context }) => context.timers.maxTimeNoResponse,
    introduction: ({ context }) => context.timers.maxTimeLastHeard + context.timers.maxTimeNoResponse,
    'T1-ENRPrequest': ({ context }) => 2 * context.timers.t1EnrpRequest, // between two pieces of a table
    settling: ({ context }) => context.timers.peerHeartbeatCycle / 2, // the next presence is due after three quarters of one
    // A peer whose checksum is never right costs a table now and then, no more.
    'audit-back-off': ({ context }) => growing(context.timers.peerHeartbeatCycle, context.audits, context.timers.retranMax) * (0.5 + context.fraction() / 2),
  },
}).createMachine({
  id: 'registrarPeer',
  context: ({ input }) => ({ ...input, isSpared: false, audits: 0 }),
  initial: 'unknown',
  on: { forget: '.gone' },
  states: {
    // Another has named it, or owns what is registered with it; it has not said anything itself.
    unknown: {
      on: { heard: 'active' },
      after: { introduction: [{ guard: 'ownsElements', target: 'dead' }, { target: 'gone' }] },
    },
    active: {
      type: 'parallel',
      entry: 'endSparing',
      on: { 'transport.down': 'suspected', doubt: 'suspected' },
      states: {
        hearing: {
          initial: 'waiting',
          states: {
            waiting: { after: { 'MAX-TIME-LAST-HEARD': [{ guard: 'isSilent', target: '#registrarPeer.suspected' }, { target: 'waiting', reenter: true }] } },
          },
        },
        data: {
          initial: 'inSync',
          states: {
            inSync: { on: { 'checksum.differs': 'differing' } },
            // Once may be because of what is under way from a third registrar; §3.6.1 would ask at once. Two presences in a row may come over two links that were just made: one
            // that was started again still has to be told what it owned, and would say that it owns nobody.
            differing: {
              on: { 'checksum.agrees': 'inSync' },
              initial: 'fresh',
              states: {
                fresh: { after: { settling: 'standing' } },
                standing: { on: { 'checksum.differs': '#registrarPeer.active.data.resyncing' } },
              },
            },
            resyncing: { // §3.6.3
              entry: ['countAudit', { type: 'order', params: { type: 'order.audit' } }],
              on: { 'audit.progress': '.asking', 'audit.done': 'audited', 'audit.failed': 'audited' },
              initial: 'asking',
              states: {
                asking: { after: { 'T1-ENRPrequest': '#registrarPeer.active.data.audited' } },
              },
              exit: { type: 'order', params: { type: 'order.audit.end' } },
            },
            audited: {
              after: { 'audit-back-off': 'inSync' },
              on: { 'checksum.agrees': { target: 'inSync', actions: 'forgetAudits' } },
            },
          },
        },
      },
    },
    suspected: { // §3.4.3: asked for a sign of life
      entry: { type: 'order', params: { type: 'order.probe' } },
      on: { heard: 'active' },
      after: {
        'MAX-TIME-NO-RESPONSE': [
          { guard: 'isHeard', target: 'active' },
          { guard: 'isTooSoon', target: 'suspected', reenter: true },
          { guard: 'isSpared', target: 'suspected', reenter: true, actions: 'spare' },
          { target: 'dead' },
        ],
      },
    },
    dead: {
      entry: { type: 'order', params: { type: 'order.takeover' } },
      on: { heard: 'active' }, // §3.5.1: alive after all
    },
    gone: { type: 'final', entry: { type: 'order', params: { type: 'order.forget' } } },
  },
});

export interface RegistrarPeerInput {
  readonly timers: Pick<Timers, 'maxTimeLastHeard' | 'maxTimeNoResponse' | 't1EnrpRequest' | 'peerHeartbeatCycle' | 'retranMax'>;
  /** For how long nothing has been heard of it, in time in which this registrar could have heard. */
  readonly silence: () => Milliseconds;
  /** For how long it has been asked for a sign of life, in such time. */
  readonly asked: () => Milliseconds;
  /** Whether pool elements are registered with it. */
  readonly ownsElements: () => boolean;
  readonly suspectsItself: () => boolean;
  /** Uniform in [0, 1): jitter. */
  readonly fraction: () => number;
}
export interface RegistrarPeerContext extends RegistrarPeerInput {
  readonly isSpared: boolean;
  /** Since its checksum was right. */
  readonly audits: number;
}
export type RegistrarPeerEvent =
  /** Said to a peer that is not active, when a message has come; an active one's silence is measured. */
  | { type: 'heard' }
  | { type: 'transport.down' }
  /** Another registrar takes it for dead. */
  | { type: 'doubt' }
  | { type: 'checksum.differs' } | { type: 'checksum.agrees' }
  | { type: 'audit.progress' } | { type: 'audit.done' } | { type: 'audit.failed' }
  | { type: 'forget' };
export type RegistrarPeerOrder =
  /** ENRP_PRESENCE with the reply-required flag. */
  | { type: 'order.probe' }
  /** ENRP_HANDLE_TABLE_REQUEST with the own-children flag. */
  | { type: 'order.audit' } | { type: 'order.audit.end' }
  | { type: 'order.takeover' }
  | { type: 'order.forget' };
