import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serverBinary } from './server-binary.js';

/** A certificate of 127.0.0.1 and the authority that signed it, as files. */
export interface Certificates {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** Why nothing can be tried over TLS: openssl is missing, or the server was built without it; undefined when it can. */
export function obstacleToTls(): string | undefined {
  if (spawnSync('openssl', ['version']).error) return 'openssl is not installed';
  // With TLS it ends since there is no certificate; without it, since it does not know the port.
  const said = spawnSync(serverBinary() ?? '', ['--port', '0', '--tls-port', '1'], {
    encoding: 'utf8',
    timeout: 5_000,
  });
  return /tls-cert-file/.test(`${said.stdout} ${said.stderr}`)
    ? undefined
    : 'the server was built without TLS';
}

/** Makes an authority of its own and a certificate of 127.0.0.1, by openssl. */
export function makeCertificates(directory: string): Certificates {
  const at = (name: string): string => join(directory, name);
  const openssl = (words: string): void => {
    execFileSync('openssl', words.split(' '), { cwd: directory, stdio: 'ignore' });
  };
  const fresh = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';
  openssl(`req -x509 ${fresh} -keyout ca.key -out ca.crt -days 2 -subj /CN=authority-of-a-test`);
  openssl(`req ${fresh} -keyout server.key -out server.csr -subj /CN=server-of-a-test`);
  writeFileSync(at('server.ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  openssl(
    'x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days 2 -extfile server.ext',
  );
  return { ca: at('ca.crt'), certificate: at('server.crt'), key: at('server.key') };
}

/** The settings by which a server listens at the port: over TLS alone when there are certificates. */
export function listening(port: number, certificates: Certificates | undefined): [string, string][] {
  if (!certificates) return [['port', String(port)]];
  const { ca, certificate, key } = certificates;
  return [
    ['port', '0'],
    ['tls-port', String(port)],
    ['tls-cert-file', certificate],
    ['tls-key-file', key],
    ['tls-ca-cert-file', ca],
    ['tls-auth-clients', 'no'],
    ['tls-replication', 'yes'],
  ];
}

/** What a client needs to trust such a server. */
export function trusting(certificates: Certificates | undefined): { tls?: { ca: string } } {
  return certificates ? { tls: { ca: readFileSync(certificates.ca, 'utf8') } } : {};
}
