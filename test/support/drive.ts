import {
  type AnyMachineSnapshot, type AnyStateMachine, type ContextFrom, type EventFromLogic, type EventObject, type InputFrom, type SnapshotFrom, type StateValue,
  initialTransition, transition,
} from 'xstate';

/**
 * Steps a chart purely, without actors, sockets or a clock, and says in words what it asked for:
 *
 *     send ASAP_REGISTRATION          sendTo of an event, or of a `transmit` event's message, to an actor of the context
 *     send hunt.cancel to serverHunt  sendTo a child or by id
 *     emit error.report rejected      emit; a `reason` or `code` in the event is said too
 *     start T2-registration 30000     a timer and its milliseconds;  cancel T2-registration  (only one that still ran)
 *     invoke serverHunt               an invoked or spawned child by its id;  stop serverHunt  (only one that still ran)
 *     do closeLink                    any other named action, with `reason` or `code` of its params
 *
 * `assign` and `raise` without a delay are the chart's own affair and are not said.
 */
export function drive<M extends AnyStateMachine>(machine: M, input: InputFrom<M>): Driven<M> {
  return new Driven(machine, input);
}

/** `state` as a path: `registered`, `failingOver.connecting`; parallel regions are joined by ` & `. */
export class Driven<M extends AnyStateMachine> {
  readonly #logic: M;
  readonly #timerNames: ReadonlyMap<string, string>;
  readonly #timers = new Map<string, string>(); // event type -> name, of those that run
  readonly #children = new Set<string>();
  #snapshot: SnapshotFrom<M>;
  /** What the initial step asked for, in words. */
  readonly initial: readonly string[];
  /** The last step's sent events (of a `transmit`, its message), whole. */
  sent: readonly EventObject[] = [];
  /** The last step's emitted events, whole. */
  emitted: readonly EventObject[] = [];

  constructor(machine: M, input: InputFrom<M>) {
    this.#logic = withInput(machine, input, () => (this.#snapshot as SnapshotFrom<M> | undefined) ?? unborn);
    this.#timerNames = namesOfTimers(machine);
    const [snapshot, actions] = initialTransition<AnyStateMachine>(this.#logic, input);
    this.#snapshot = snapshot as SnapshotFrom<M>;
    this.initial = this.#inWords(actions);
  }

  get snapshot(): SnapshotFrom<M> { return this.#snapshot; }
  get context(): ContextFrom<M> { return (this.#snapshot as AnyMachineSnapshot).context as ContextFrom<M>; }
  get state(): string { return pathOf((this.#snapshot as AnyMachineSnapshot).value); }
  /** `active`, `done` or `error`. */
  get status(): string { return (this.#snapshot as AnyMachineSnapshot).status; }
  get output(): unknown { return (this.#snapshot as AnyMachineSnapshot).output; }
  /** The names of the timers that run, in the order in which they were started. */
  get timers(): readonly string[] { return [...this.#timers.values()]; }
  get children(): readonly string[] { return [...this.#children]; }

  /** @returns what the chart asked for, in words. */
  send(event: EventFromLogic<M>): readonly string[] {
    return this.#step(event as EventObject);
  }

  /** Lets the running timer of that name expire. */
  expire(name: string): readonly string[] {
    const running = [...this.#timers].filter(([, timer]) => timer === name);
    const [type] = running[0] ?? [];
    if (type === undefined || running.length > 1) {
      throw new Error(`${running.length} timers named ${name} run; running: ${this.timers.join(', ') || 'none'}`);
    }
    this.#timers.delete(type);
    return this.#step({ type });
  }

  /** The child of that id reaches its final state (or its promise resolves). */
  childDone(id: string, output?: unknown): readonly string[] {
    this.#forgetChild(id);
    return this.#step({ type: `xstate.done.actor.${id}`, output, actorId: id });
  }

  /** The child of that id fails (or its promise rejects). */
  childFailed(id: string, error: unknown = new Error(`${id} failed`)): readonly string[] {
    this.#forgetChild(id);
    return this.#step({ type: `xstate.error.actor.${id}`, error, actorId: id });
  }

  #forgetChild(id: string): void {
    if (!this.#children.delete(id)) throw new Error(`no child ${id} runs; running: ${this.children.join(', ') || 'none'}`);
  }

  #step(event: EventObject & { readonly [payload: string]: unknown }): readonly string[] {
    const [snapshot, actions] = transition<AnyStateMachine>(this.#logic, this.#snapshot as AnyMachineSnapshot, event);
    this.#snapshot = snapshot as SnapshotFrom<M>;
    return this.#inWords(actions);
  }

  #inWords(actions: readonly ExecutableAction[]): readonly string[] {
    const sent: EventObject[] = [];
    const emitted: EventObject[] = [];
    const words = actions.flatMap((action) => this.#sayAction(action, sent, emitted) ?? []);
    this.sent = sent;
    this.emitted = emitted;
    return words;
  }

  #sayAction({ type, params }: ExecutableAction, sent: EventObject[], emitted: EventObject[]): string | undefined {
    const said = (params ?? {}) as ActionParams;
    switch (type) {
      case 'xstate.raise': return said.delay === undefined ? undefined : this.#sayStart(said);
      case 'xstate.cancel': return this.#sayCancel(said.sendId ?? '');
      case 'xstate.spawnChild': return this.#sayInvoke(said);
      case 'xstate.stopChild': return this.#children.delete(said.id ?? '') ? `stop ${said.id}` : undefined;
      case 'xstate.log': return undefined;
      case 'xstate.emit': {
        emitted.push(said.event);
        return `emit ${said.event.type}${reasonOf(said.event)}`;
      }
      case 'xstate.sendTo': {
        const event = messageOf(said.event);
        sent.push(event);
        return `send ${event.type}${said.targetId === undefined ? '' : ` to ${said.targetId}`}${said.delay === undefined ? '' : ` in ${said.delay}`}`;
      }
      default: return `do ${type}${reasonOf(said)}`;
    }
  }

  #sayStart({ id, event, delay }: ActionParams): string {
    const key = id ?? event.type;
    const name = this.#timerNames.get(key) ?? key;
    this.#timers.delete(key); // so that it comes last in the order
    this.#timers.set(key, name);
    return `start ${name} ${delay}`;
  }

  #sayCancel(key: string): string | undefined {
    const name = this.#timers.get(key);
    this.#timers.delete(key);
    return name === undefined ? undefined : `cancel ${name}`;
  }

  #sayInvoke({ id, actorRef }: ActionParams): string {
    const name = actorRef?.id ?? String(id);
    this.#children.add(name);
    return `invoke ${name}`;
  }
}

/**
 * The machine, but its initial snapshot is always `input`'s. Pure `transition()` builds a throw-away actor for each step, and with it
 * runs the context factory again with `input` undefined; here it finds `latest()` (or a context made of `input`) instead.
 */
export function withInput<M extends AnyStateMachine>(machine: M, input: InputFrom<M>, latest?: () => unknown): M {
  const initial: AnyStateMachine['getInitialSnapshot'] = (scope, given) => {
    const known = given === undefined ? latest?.() : undefined;
    return (known ?? machine.getInitialSnapshot(scope, (given ?? input) as never)) as AnyMachineSnapshot;
  };
  return Object.create(machine, { getInitialSnapshot: { value: initial } }) as M;
}

/** Stands for the snapshot of the throw-away actor of the initial step. */
const unborn = { status: 'active', children: {} };

interface ExecutableAction { readonly type: string; readonly params: unknown }
interface ActionParams {
  readonly event: EventObject;
  readonly id?: string;
  readonly delay?: number;
  readonly sendId?: string;
  readonly targetId?: string;
  readonly actorRef?: { readonly id: string };
}

/** Of each `after`: its event type and the name of its delay. */
function namesOfTimers(machine: AnyStateMachine): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const walk = (node: AnyStateMachine['root']): void => {
    for (const { eventType, delay } of node.after) names.set(eventType, String(delay));
    for (const child of Object.values(node.states)) walk(child);
  };
  walk(machine.root);
  return names;
}

const messageOf = (event: EventObject): EventObject => {
  const { message } = event as { message?: unknown };
  return event.type === 'transmit' && typeof message === 'object' && message !== null && 'type' in message ? (message as EventObject) : event;
};

const reasonOf = (value: object): string => {
  const { reason, code } = value as { reason?: unknown; code?: unknown };
  const said = reason ?? code;
  return typeof said === 'string' || typeof said === 'number' ? ` ${said}` : '';
};

function pathOf(value: StateValue): string {
  if (typeof value === 'string') return value;
  return Object.entries(value)
    .map(([key, inner]) => (inner === undefined || Object.keys(inner).length === 0 ? key : pathOf(inner).split(' & ').map((path) => `${key}.${path}`).join(' & ')))
    .join(' & ');
}
