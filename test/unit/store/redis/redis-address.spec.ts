import { optionsInUrl } from '../../../../lib/store/redis/redis-address.js';

describe('the user and the password in a URL', () => {
  it.each([
    ['100%^safe', '100%^safe'],
    ['a%b=c', 'a%b=c'],
    ['a%=x;y', 'a%=x;y'],
    ['50%é', '50%é'],
    ['p%40ss%2Fword', 'p@ss/word'],
    ['100%25', '100%'],
    ['%ff', '%ff'],
  ])(
    '%s: they are as they were meant, with a percent sign that stands for itself or not',
    (written, meant) => {
      expect(optionsInUrl(`redis://${written}:${written}@host`)).toMatchObject({
        username: meant,
        password: meant,
      });
    },
  );
});
