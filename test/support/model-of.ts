import {
  type ActorScope, type AnyActorRef, type AnyMachineSnapshot, type AnyStateMachine, type AnyTransitionDefinition, type EventObject, type InputFrom, type Snapshot,
  __unsafe_getAllOwnEventDescriptors as ownEvents, createActor, getInitialMicrosteps,
} from 'xstate';
import { TestModel, serializeSnapshot } from 'xstate/graph';
import { withInput } from './drive.js';

/** The cases of each event type's payload, e.g. `{ ASAP_REGISTRATION_RESPONSE: [{ flags: { reject: true } }, { flags: { reject: false } }] }`; one empty case if not given. */
export type EventCases = Readonly<Record<string, readonly object[]>>;

export interface ModelOptions<M extends AnyStateMachine> {
  readonly input: InputFrom<M>;
  readonly cases?: EventCases;
  /** What of a context makes a vertex; must be bounded. Default: all of it. */
  readonly project?: (context: AnyMachineSnapshot['context']) => unknown;
  /** Vertices; more throw. Default 5000. */
  readonly limit?: number;
}

/**
 * A test model for machines that have `after` and `invoke`: createTestModel() refuses both, TestModel does not. Expiries and the ends of
 * children count as events (`xstate.after.T2-registration.registration.registering`, `xstate.done.actor.serverHunt`).
 * A vertex's key holds the incoming edge too, so that the shortest paths cover every transition, self-loops included, also those that a guard keeps from
 * being taken elsewhere.
 */
export function modelOf<M extends AnyStateMachine>(machine: M, { input, cases = {}, project = (context) => context, limit = 5_000 }: ModelOptions<M>): ChartModel {
  const own = withInput(machine, input);
  const stateKey = (snapshot: AnyMachineSnapshot): string =>
    serializeSnapshot({ ...snapshot, context: project(snapshot.context), value: snapshot.value as unknown, status: snapshot.status } as never);
  return new TestModel<AnyMachineSnapshot, EventObject, never>(own as never, {
    limit,
    serializeState: (snapshot: AnyMachineSnapshot, event: EventObject | undefined, before: AnyMachineSnapshot | undefined) =>
      stateKey(snapshot) + (event && before ? ` <- ${JSON.stringify(before.value)} ${JSON.stringify(event)}${before.can(event as never) ? '' : ' (nothing)'}` : ''),
    serializeEvent: (event: EventObject) => JSON.stringify(event),
    events: (snapshot: AnyMachineSnapshot) => (snapshot.status !== 'active' ? [] : ownEvents(snapshot as never).flatMap((type: string) => (cases[type] ?? [{}]).map((payload) => ({ ...payload, type })))),
    stateMatcher: (snapshot: AnyMachineSnapshot, key: string) =>
      (key.startsWith('#') ? snapshot._nodes.includes(own.getStateNodeById(key.slice(1))) : snapshot.matches(key as never)),
  } as never) as unknown as ChartModel;
}

export interface ChartModel {
  getShortestPaths(): readonly ChartPath[];
  getSimplePaths(): readonly ChartPath[];
}
export interface ChartPath {
  readonly description: string;
  readonly steps: readonly { readonly state: AnyMachineSnapshot; readonly event: EventObject }[];
  test(params: {
    states?: Readonly<Record<string, (state: AnyMachineSnapshot) => void | Promise<void>>>;
    events?: Readonly<Record<string, (step: { state: AnyMachineSnapshot; event: EventObject }) => void | Promise<void>>>;
  }): Promise<unknown>;
}

/**
 * What of a chart the paths leave out: states (transient ones count) and transitions, `always` edges included, as `state event index`.
 * `expect(coverage(machine, model.getShortestPaths(), input).missing).toEqual([])`.
 */
export function coverage<M extends AnyStateMachine>(machine: M, paths: readonly Pick<ChartPath, 'steps'>[], input: InputFrom<M>): { readonly missing: readonly string[]; readonly seen: ReadonlySet<string> } {
  const seen = new Set<string>();
  const replay = replayer(withInput(machine, input), input, seen);
  for (const [snapshot] of getInitialMicrosteps<AnyStateMachine>(withInput(machine, input), input)) replay.visit(snapshot as AnyMachineSnapshot);
  replay.initial();
  const walked = new Set<string>(); // paths share their beginnings
  for (const { steps } of paths) {
    steps.forEach(({ event }, index) => {
      const before = steps[index - 1]?.state;
      const key = before && `${serializeSnapshot(before as never)} ${JSON.stringify(event)}`;
      if (before === undefined || key === undefined || walked.has(key)) return;
      walked.add(key);
      replay.step(before, event);
    });
  }
  return { missing: partsOf(machine).filter((part) => !seen.has(part)), seen };
}

/** Runs steps once more in a scope of its own, which notes each microstep's transitions and states. */
function replayer(machine: AnyStateMachine, input: unknown, seen: Set<string>): Replayer {
  const visit = (snapshot: AnyMachineSnapshot): void => { for (const node of snapshot._nodes) seen.add(node.id); };
  const self = createActor(machine);
  self.system.inspect((inspected) => {
    if (inspected.type !== '@xstate.microstep' || inspected.actorRef !== (self as AnyActorRef)) return;
    for (const taken of inspected._transitions) seen.add(nameOf(taken));
    visit(inspected.snapshot as AnyMachineSnapshot);
  });
  const nothing = (): void => undefined;
  const scope: ActorScope<Snapshot<unknown>, EventObject> = {
    self: self as never, system: self.system, id: '', sessionId: '', logger: nothing, defer: nothing, emit: nothing, stopChild: nothing, actionExecutor: nothing,
  };
  return {
    visit,
    initial: () => { machine.getInitialSnapshot(scope as never, input); },
    step: (before, event) => { machine.transition(before as never, event, scope as never); },
  };
}

interface Replayer {
  visit(snapshot: AnyMachineSnapshot): void;
  initial(): void;
  step(before: AnyMachineSnapshot, event: EventObject): void;
}

function partsOf(machine: AnyStateMachine): readonly string[] {
  const walk = (node: AnyStateMachine['root']): string[] => [
    node.id, ...transitionsOf(node).map(nameOf), ...Object.values(node.states).flatMap(walk),
  ];
  return walk(machine.root);
}

function transitionsOf(node: AnyStateMachine['root']): readonly AnyTransitionDefinition[] {
  return [...[...node.transitions.values()].flat(), ...(node.always ?? [])];
}

function nameOf(taken: AnyTransitionDefinition): string {
  const siblings = taken.eventType === '' ? taken.source.always : taken.source.transitions.get(taken.eventType);
  return `${taken.source.id} ${taken.eventType || 'always'} ${siblings?.indexOf(taken as never) ?? 0}`;
}
