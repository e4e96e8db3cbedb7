import { Tally } from '../../cli/demo/tally.js';

const tallyOf = (sent: number, replies: readonly string[]): Pick<Tally, 'answered' | 'lost' | 'doubled'> => {
  const tally = new Tally();
  for (let index = 0; index < sent; index += 1) tally.request();
  for (const reply of replies) tally.reply(reply);
  tally.finish();
  const { answered, lost, doubled } = tally;
  return { answered, lost, doubled };
};

describe('the demo counts lost and doubled work (replies are COUNT NUMBER)', () => {
  it('finds nothing when the counter keeps step', () => {
    expect(tallyOf(3, ['1 1', '2 2', '3 3'])).toEqual({ answered: 3, lost: 0, doubled: 0 });
  });
  it('a missing reply is lost, in the middle and at the end', () => {
    expect(tallyOf(3, ['1 1', '3 3'])).toEqual({ answered: 2, lost: 1, doubled: 0 });
    expect(tallyOf(3, ['1 1'])).toEqual({ answered: 1, lost: 2, doubled: 0 });
  });
  it('a reply that comes twice is doubled', () => {
    expect(tallyOf(2, ['1 1', '1 1', '2 2'])).toEqual({ answered: 2, lost: 0, doubled: 1 });
  });
  it('a counter that went back is lost work, once', () => {
    expect(tallyOf(3, ['1 1', '1 2', '2 3'])).toEqual({ answered: 3, lost: 1, doubled: 0 });
  });
  it('a counter that jumped is doubled work, once', () => {
    expect(tallyOf(3, ['1 1', '3 2', '4 3'])).toEqual({ answered: 3, lost: 0, doubled: 1 });
  });
  it('a reply nobody can read is lost', () => {
    expect(tallyOf(1, ['what'])).toEqual({ answered: 0, lost: 2, doubled: 0 });
  });
});
