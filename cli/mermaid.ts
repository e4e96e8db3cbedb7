import type { AnyStateMachine, AnyTransitionDefinition } from 'xstate';

type StateNode = AnyStateMachine['root'];

/** A chart as a Mermaid `stateDiagram-v2`: every state and transition of the definition, `always` and `after` included. */
export function mermaidOf(machine: AnyStateMachine): string {
  const lines = ['---', `title: ${nameOf(machine)}`, '---', 'stateDiagram-v2', ...declare(machine.root, '  '), ...connect(machine.root)];
  return `${lines.join('\n')}\n`;
}

/** `controlChannel` is called control-channel where people read and type it. */
export const nameOf = ({ id }: AnyStateMachine): string => id.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function declare(node: StateNode, pad: string): readonly string[] {
  const children = childrenOf(node);
  const inner = [
    ...initialOf(node).map((initial) => `[*] --> ${idOf(initial)}`).map((line) => pad + line),
    ...children.flatMap((child, index) => [...(node.type === 'parallel' && index > 0 ? [`${pad}--`] : []), ...declareChild(child, pad)]),
  ];
  return [...inner, ...finalsOf(node).map((final) => `${pad}${idOf(final)} --> [*]`)];
}

function declareChild(node: StateNode, pad: string): readonly string[] {
  const head = `${pad}state "${node.key}" as ${idOf(node)}`;
  const doings = doingsOf(node);
  if (childrenOf(node).length === 0) return [head, ...doings.map((doing) => `${pad}${idOf(node)}: ${doing}`)];
  const note = doings.length === 0 ? [] : [`${pad}note right of ${idOf(node)}`, ...doings.map((doing) => `${pad}  ${doing}`), `${pad}end note`];
  return [`${head} {`, ...declare(node, `${pad}  `), `${pad}}`, ...note];
}

/** What a state does without leaving: actions of entry and exit, what it invokes, events it only acts upon. */
function doingsOf(node: StateNode): readonly string[] {
  return [
    ...doing('entry', node.entry),
    ...doing('exit', node.exit),
    ...node.invoke.map(({ id, src }) => `invoke ${typeof src === 'string' && src !== id ? `${src} as ${id}` : id}`),
    ...transitionsOf(node).filter(isInternal).map((transition) => labelOf(transition) + (actionNames(transition.actions).length === 0 ? ' / nothing' : '')),
  ].map(plain);
}

const doing = (when: string, actions: readonly unknown[]): readonly string[] => {
  const names = actionNames(actions);
  return names.length === 0 ? [] : [`${when} / ${names.join(', ')}`];
};

function connect(node: StateNode): readonly string[] {
  const edges = transitionsOf(node).filter((transition) => !isInternal(transition)).flatMap((transition) =>
    (transition.target ?? []).map((target) => `  ${sourceId(node, target)} --> ${idOf(target)}: ${plain(labelOf(transition))}`));
  const anywhere = edges.filter((edge) => edge.startsWith(`  ${anyOf(node)} `)).length === 0 ? [] : [`  state "any state${node.parent ? ` of ${node.key}` : ''}" as ${anyOf(node)}`];
  const internal = node.parent ? [] : doingsOf(node);
  const note = internal.length === 0 ? [] : [`  state "in any state" as inside`, ...internal.map((line) => `  inside: ${line}`)];
  return [...note, ...anywhere, ...edges, ...childrenOf(node).flatMap(connect)];
}

/** Mermaid draws no edge from a state to one inside of it: that one comes from "any state". */
const sourceId = (source: StateNode, target: StateNode): string => (isInside(target, source) ? anyOf(source) : idOf(source));
const anyOf = (node: StateNode): string => (node.parent ? `any_${idOf(node)}` : 'any');
const isInside = (node: StateNode, outer: StateNode): boolean => node.parent !== undefined && (node.parent === outer || isInside(node.parent, outer));
const isInternal = ({ target }: AnyTransitionDefinition): boolean => target === undefined || target.length === 0;

const transitionsOf = (node: StateNode): readonly AnyTransitionDefinition[] => [...[...node.transitions.values()].flat(), ...(node.always ?? [])];
const childrenOf = (node: StateNode): readonly StateNode[] => Object.values(node.states);
const finalsOf = (node: StateNode): readonly StateNode[] => childrenOf(node).filter(({ type }) => type === 'final');
const initialOf = (node: StateNode): readonly StateNode[] => (node.type === 'compound' ? [...(node.initial.target ?? [])] : []);
const idOf = (node: StateNode): string => {
  const id = node.path.join('_').replace(/\W/g, '_');
  return /^(end|state|note|direction|any|inside|class|click|default|style)$/.test(id) ? `${id}_` : id;
};

function labelOf({ eventType, guard, actions, source }: AnyTransitionDefinition): string {
  const when = guard === undefined ? '' : `[${guardName(guard)}]`;
  const names = actionNames(actions);
  return [eventName(eventType, source), when, names.length === 0 ? '' : `/ ${names.join(', ')}`].filter((part) => part !== '').join(' ') || 'always';
}

function eventName(type: string, source: StateNode): string {
  const delayed = source.after.find(({ eventType }) => eventType === type);
  if (delayed) return `after ${String(delayed.delay)}`;
  const ended = /^xstate\.(done|error)\.(?:actor|state)\.(.+)$/.exec(type);
  return ended ? `${ended[1]} ${(ended[2] ?? '').replace(`${source.machine.id}.`, '')}` : type;
}

function guardName(guard: unknown): string {
  if (typeof guard === 'string') return guard;
  const { type, guards, name } = guard as { type?: string; guards?: readonly unknown[]; name?: string };
  if (guards && type !== undefined) return type === 'xstate.not' ? `not ${guardName(guards[0])}` : guards.map(guardName).join(` ${type.replace('xstate.', '')} `);
  return type ?? name ?? 'guard';
}

/** Names, with the message or the reason where the parameters are plain data. Timers of `after` are drawn as edges. */
const actionNames = (actions: readonly unknown[]): readonly string[] =>
  actions.flatMap((action) => {
    const { type, params } = (typeof action === 'string' ? { type: action } : action) as { type?: string; params?: unknown };
    if (type === undefined || type === 'xstate.raise' || type === 'xstate.cancel') return [];
    const { reason, message } = (typeof params === 'object' && params !== null ? params : {}) as { reason?: unknown; message?: { type?: unknown } };
    const what = message?.type ?? reason;
    return [typeof what === 'string' ? `${type} ${what}` : type.replace('xstate.', '')];
  });

const plain = (text: string): string => text.replaceAll(':', ' ').replaceAll(';', ',').replaceAll('#', '');
