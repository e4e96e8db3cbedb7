import type { AnyActorRef, AnyStateMachine, InputFrom } from 'xstate';
import { quickTimers, rfcTimers } from '../../machines/timers.js';
import type { AsapMessageOf, Generation } from '../../wire/index.js';
import { coverage, modelOf, type ModelOptions } from '../support/model-of.js';

/** Stands for an actor that only is sent to: pure steps never send. */
export const anyActor = (id: string): AnyActorRef => ({ id, send: () => undefined, toJSON: () => id }) as unknown as AnyActorRef;

export const quick = quickTimers;
export const rfc = rfcTimers;
/** No jitter: the middle of what is drawn. */
export const middle = (): number => 0.5;

export const poolHandle = Buffer.from('echo');

export const registrationOf = (life = 300): AsapMessageOf<'ASAP_REGISTRATION'> => ({
  type: 'ASAP_REGISTRATION', poolHandle,
  poolElement: {
    identifier: 7, homeRegistrar: 0, registrationLife: life, policy: { policy: 'round-robin' },
    userTransport: { transport: 'tcp', port: 4000, addresses: ['10.0.0.7'] },
  },
});

export const registered = (generation?: Generation): AsapMessageOf<'ASAP_REGISTRATION_RESPONSE'> =>
  ({ type: 'ASAP_REGISTRATION_RESPONSE', flags: { reject: false }, poolHandle, peIdentifier: 7, generation });
export const rejected: AsapMessageOf<'ASAP_REGISTRATION_RESPONSE'> =
  { type: 'ASAP_REGISTRATION_RESPONSE', flags: { reject: true }, poolHandle, peIdentifier: 7, error: [{ cause: 'lack-of-resources' }] };
export const removed = (generation?: Generation): AsapMessageOf<'ASAP_DEREGISTRATION_RESPONSE'> =>
  ({ type: 'ASAP_DEREGISTRATION_RESPONSE', poolHandle, peIdentifier: 7, generation });

/** States and transitions that are on no path, whichever of the worlds (what the guards ask for) the chart is in. */
export function onNoPath<M extends AnyStateMachine>(machine: M, worlds: readonly InputFrom<M>[], options: Omit<ModelOptions<M>, 'input'>): readonly string[] {
  const parts = worlds.map((input) => coverage(machine, modelOf(machine, { ...options, input }).getShortestPaths(), input));
  return (parts[0]?.missing ?? []).filter((part) => !parts.some(({ seen }) => seen.has(part)));
}
