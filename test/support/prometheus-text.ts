/** One line of a scrape. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The samples in a text that a Prometheus server would scrape. */
export function samplesIn(text: string): Sample[] {
  return [...text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)].map(([, name = '', labels = '', value]) => ({
    name,
    labels: Object.fromEntries(
      [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text]),
    ) as Record<string, string>,
    value: Number(value?.replace('Inf', 'Infinity')),
  }));
}

/** What a query of PromQL asks for: metrics, what their labels have to be, and the labels that it groups them by. */
export interface Wanted {
  readonly selectors: readonly ((sample: Sample) => boolean)[];
  readonly groups: readonly string[];
}

/** Reads a query of the kind that our dashboard and alerts have. Variables of Grafana stand for everything. */
export function wantedBy(query: string): Wanted {
  const groups = [...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/,\s*/));
  const rest = query.replace(/\bby \([^)]*\)/g, '').replace(/\[[^\]]*\]/g, '');
  const selectors = [...rest.matchAll(/(lock_\w+)?\{([^}]*)\}|\b(lock_\w+)\b(?![\w"{(=!])/g)].map(
    ([, named, matchers = '', bare]) => {
      const name = named ?? bare;
      const tests = [...matchers.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)].map(
        ([, label = '', how = '', text = '']) => {
          const pattern = new RegExp(`^(?:${text.replace(/\$\w+/g, '.*')})$`);
          return (sample: Sample): boolean => {
            const value = label === '__name__' ? sample.name : (sample.labels[label] ?? '');
            return (how.endsWith('~') ? pattern.test(value) : value === text) !== how.startsWith('!');
          };
        },
      );
      return (sample: Sample): boolean =>
        (name === undefined || sample.name === name) && tests.every((test) => test(sample));
    },
  );
  return { selectors, groups };
}
