/** The masters of a cluster as one text, which takes the place of the URL of a server. */
export function urlOfNodes(nodes: readonly { port: number }[]): string {
  return nodes.map(({ port }) => `redis://127.0.0.1:${port}`).join(',');
}

/** Each server that is behind the text. */
export function urlsIn(url: string): string[] {
  return url.split(',');
}

/** The nodes of a cluster; undefined when it is one server. */
export function nodesAt(url: string): { host: string; port: number }[] | undefined {
  const urls = urlsIn(url);
  if (urls.length === 1) return undefined;
  return urls.map((each) => ({ host: new URL(each).hostname, port: Number(new URL(each).port) }));
}
