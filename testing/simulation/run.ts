import type { Cut, Outcome } from './outcome.js';
import type { Stage } from './stage.js';

/** Lives a life on a stage, and says what became of it. Whatever is thrown, or rejected with nobody to hear it, is a violation. */
export async function runOn(scenario: string, stage: Stage, seed: number, cut: Cut, live: () => Promise<void>): Promise<Outcome> {
  const unheard = (error: unknown): void => { stage.violated('nothing is thrown at nobody', describe(error)); };
  process.on('unhandledRejection', unheard);
  stage.actors.begin();
  try {
    await live();
  } catch (error) {
    stage.violated('nothing is thrown at nobody', describe(error));
  } finally {
    stage.actors.end();
    process.off('unhandledRejection', unheard);
  }
  const { violations, transcript, happened } = stage;
  return { scenario, seed, cut, steps: stage.clock.turns, faults: happened, violations, transcript: transcript.lines };
}

/** With the place, without the machine's paths. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const places = [...(error.stack ?? '').matchAll(/at (\S+ )?\(?\S*?\/((?:actors|delivery|machines|transports|handlespace|wire|testing)\/[^):]+):/g)].slice(0, 4).map(([, call = '', file = '']) => `${call}${file}`);
  return `${error.message}${places.length > 0 ? ` (${places.join(' < ')})` : ''}`;
}
