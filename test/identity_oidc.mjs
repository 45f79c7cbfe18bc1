// A real OAuth 2.0 server of another make (npm oidc-provider) for test/identity.sh and outbound.sh, over mutual TLS with certificates of
// `tenfold identity`. identity_oidc.mjs PORT CA CERT KEY: two keys (ES256 signs, RS256 stands by), one client that proves
// itself by its certificate, one by a secret that may introspect; JWT access tokens for https://api.example, bound to the
// certificate; opaque ones for https://opaque.example; for https://short.example they live 2 seconds. Runs until it is
// killed; says "ready".
import { createServer } from 'node:https';
import { readFileSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { createRequire } from 'node:module';

const Provider = (await import(createRequire(process.cwd() + '/').resolve('oidc-provider'))).default;
const [port, ca, cert, key] = process.argv.slice(2);
const issuer = `https://localhost:${port}`;
const jwk = (type, options, more) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), use: 'sig', ...more });
const client = (id, more) => ({
  client_id: id, grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
  id_token_signed_response_alg: 'ES256', tls_client_certificate_bound_access_tokens: true, ...more });

const provider = new Provider(issuer, {
  jwks: { keys: [jwk('ec', { namedCurve: 'P-256' }, { alg: 'ES256', kid: 'es-1' }), jwk('rsa', { modulusLength: 2048 }, { alg: 'RS256', kid: 'rs-1' })] },
  clients: [
    client('alpha', { token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_subject_dn: 'CN=alpha' }),
    client('api', { token_endpoint_auth_method: 'client_secret_basic', client_secret: 'a secret: for/tests+only' })],
  clientAuthMethods: ['tls_client_auth', 'client_secret_basic'],
  scopes: ['policy:read', 'policy:buy'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    mTLS: {
      enabled: true, certificateBoundAccessTokens: true, tlsClientAuth: true,
      getCertificate: (ctx) => ctx.socket.getPeerX509Certificate?.(),
      certificateAuthorized: (ctx) => ctx.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) =>
        property === 'tls_client_auth_subject_dn' && ctx.socket.getPeerX509Certificate().subject === expected },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'https://api.example',
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: 'policy:read policy:buy', audience: resource, accessTokenTTL: resource === 'https://short.example' ? 2 : 300,
        accessTokenFormat: resource === 'https://opaque.example' ? 'opaque' : 'jwt',
        jwt: { sign: { alg: resource === 'https://rsa.example' ? 'RS256' : 'ES256' } } }) } },
});

createServer({ ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key), requestCert: true, rejectUnauthorized: false },
  provider.callback()).listen(Number(port), '127.0.0.1', () => console.log('ready'));
