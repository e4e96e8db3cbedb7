import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import * as bounds from '../../machines/bounds.js';
import { quickTimers, rfcTimers, type Timers } from '../../machines/timers.js';
import { poolElementMachine } from '../../machines/pool-element.js';
import { poolUserMachine } from '../../machines/pool-user.js';
import { registrationMachine } from '../../machines/registration.js';
import { resolutionMachine } from '../../machines/resolution.js';
import { serverHuntMachine } from '../../machines/server-hunt.js';

const text = readFileSync(new URL('../../docs/bounds.md', import.meta.url), 'utf8');

/** Each row's name, and what it stands for. */
const functions: Record<string, (timers: Timers) => number> = {
  ownerlessBound: bounds.ownerlessBound,
  homeBound: bounds.homeBound,
  takeoverBound: bounds.takeoverBound,
  'takeoverBound, doubtful': (timers) => bounds.takeoverBound(timers, { isDoubtful: true }),
  'takeoverBound, silent bystanders': (timers) => bounds.takeoverBound(timers, { silent: true }),
  'takeoverBound, the winner dies': (timers) => bounds.takeoverBound(timers, { winnerDies: true }),
  removalBound: bounds.removalBound,
  'removalBound, doubtful': (timers) => bounds.removalBound(timers, { isDoubtful: true }),
  reportBound: bounds.reportBound,
  lookUpBound: bounds.lookUpBound,
  'lookUpBound, none answers': (timers) => bounds.lookUpBound(timers, { mute: Infinity }),
  failoverBound: bounds.failoverBound,
  'noticeBound, subscribed': (timers) => bounds.noticeBound(timers, 'update'),
  'noticeBound, without': (timers) => bounds.noticeBound(timers, 'stale'),
  'noticeBound, its registrar frozen': (timers) => bounds.noticeBound(timers, 'frozen'),
  quietBound: bounds.quietBound,
};

describe('docs/bounds.md', () => {
  it('has the numbers of machines/bounds.ts, one row for each bound', () => {
    const rows = [...text.matchAll(/^\| `(\w+)`(, [\w ]+)? \| [^|]+ \| (\d+) \| (\d+) \|$/gm)].map(([, name = '', variant = '', quick, rfc]) => [name + variant, Number(quick), Number(rfc)]);
    expect(rows).toEqual(Object.entries(functions).map(([name, bound]) => [name, Math.round(bound(quickTimers)), Math.round(bound(rfcTimers))]));
    expect(Object.keys(bounds).filter((name) => !(name in functions) && !Object.keys(functions).some((row) => row.startsWith(`${name}, `)) && name !== 'UPDATE_PACE')).toEqual([]);
  });

  it('keeps what is promised for the default settings: 2 s without a living owner, 1 s for a look-up', () => {
    expect(bounds.ownerlessBound(quickTimers)).toBeLessThanOrEqual(2_000);
    expect(bounds.homeBound(quickTimers)).toBeLessThanOrEqual(2_000);
    expect(bounds.takeoverBound(quickTimers)).toBeLessThanOrEqual(2_000);
    expect(bounds.lookUpBound(quickTimers)).toBeLessThanOrEqual(1_000);
  });

  it('says of every timer of the charts of PE and PU that repeats how it is jittered; every other one is a wait for one answer', () => {
    const charts = [poolElementMachine, poolUserMachine, registrationMachine, resolutionMachine, serverHuntMachine];
    const names = new Set(charts.flatMap((chart) => timersOf(chart.root as unknown as Node)));
    const jittered = [...names].filter((name) => text.includes(`\`${name}\``));
    const waits = ['T1-ENRPrequest', 'T2-registration', 'T3-deregistration', 'registrar-wait', 'resolution-interval', 'rest-of-silence', 'rest-of-T2'];
    expect([...names].filter((name) => !jittered.includes(name)).sort()).toEqual(waits.sort());
  });

  it.each([registrationMachine, serverHuntMachine, poolElementMachine, poolUserMachine, resolutionMachine])('%#: a jittered timer depends on what is drawn', (machine) => {
    const delays = (machine as unknown as { implementations: { delays: Record<string, (given: { context: object }) => number> } }).implementations.delays;
    const spans = (name: string): number[] => [0, 0.9].map((fraction) => (delays[name] as (given: { context: object }) => number)({ context: contextOf(fraction) }));
    for (const name of Object.keys(delays).filter((each) => text.includes(`\`${each}\``))) expect([name, new Set(spans(name)).size]).toEqual([name, 2]);
  });
});

interface Node { readonly after: readonly { readonly delay: unknown }[]; readonly states: Readonly<Record<string, Node>> }
const timersOf = ({ after, states }: Node): string[] => [...after.map(({ delay }) => String(delay)), ...Object.values(states).flatMap(timersOf)];

/** As much of all charts' contexts as their delays look at. */
const contextOf = (fraction: number): object => ({
  timers: quickTimers, fraction: () => fraction, silence: () => 0, sinceProgress: () => 0, now: () => 0, answeredAt: 0, misses: 1, t5: 500, rounds: 1, failures: 1, attempts: 3, removals: 0,
  registration: { poolElement: { registrationLife: 30 } },
});
