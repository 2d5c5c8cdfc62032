// A protected server and its authorization server, npm's oidc-provider, both on the loopback:
//   node oidc-provider.mjs '{"dpop":true,"nonce":true,"par":true}'
// Standard output is for the one line that says where they are. The person agrees to everything, with a browser
// that keeps cookies (GET /browse?page=URL); GET /control?needs=SCOPES tells what happened so far.
import http from 'node:http';
import { Provider } from 'oidc-provider';

console.info = console.warn = () => {};
const options = JSON.parse(process.argv[2] ?? '{}');
const OPENID = ['openid', 'offline_access'];
const counts = { authorizations: 0, reused: 0 };
let needs = '';

const listen = (handler) =>
  new Promise((done) => {
    const server = http.createServer((req, res) => handler(req, res).catch((error) => {
      console.error(error);
      res.writeHead(500).end();
    }));
    server.listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${server.address().port}`));
  });
let authorization;
const issuer = await listen((req, res) => authorization(req, res));
const base = await listen(resource);
const server = `${base}/mcp`;
const metadata = '/.well-known/oauth-protected-resource/mcp';

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'robot', client_secret: 'a secret', token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'], redirect_uris: [], response_types: []
  }, {
    client_id: 'desk', client_secret: 'a secret', token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', 'refresh_token'], redirect_uris: ['http://127.0.0.1/callback'],
    application_type: 'native'
  }],
  clientDefaults: { token_endpoint_auth_method: 'none' },
  scopes: OPENID,
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async (_, client, code) =>
    client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true, issueRegistrationAccessToken: false },
    revocation: { enabled: true },
    introspection: { enabled: true },
    clientCredentials: { enabled: true },
    dPoP: {
      enabled: options.dpop === true, requireNonce: () => options.nonce === true, nonceSecret: Buffer.alloc(32, 1)
    },
    pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: options.par === true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => {
        if (resource !== server) throw new Error(`nobody knows ${resource}`);
        return { scope: 'read write', audience: resource, accessTokenFormat: options.format ?? 'opaque' };
      }
    }
  }
});
provider.on('server_error', (_, error) => console.error(error));
provider.on('grant.error', (_, error) => {
  if (/already used/.test(error.error_detail ?? '')) counts.reused += 1;
});

const standard = provider.callback();
authorization = async (req, res) => {
  const path = new URL(req.url, issuer).pathname;
  if (path === '/auth') counts.authorizations += 1;
  return path.startsWith('/interaction/') ? agree(req, res) : standard(req, res);
};

async function agree(req, res) {
  const { params, prompt, session, grantId } = await provider.interactionDetails(req, res);
  if (prompt.name === 'login') {
    return provider.interactionFinished(req, res, { login: { accountId: 'me' } });
  }
  const known = grantId && (await provider.Grant.find(grantId));
  const grant = known || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const scopes = (params.scope ?? '').split(' ');
  grant.addOIDCScope(scopes.filter((scope) => OPENID.includes(scope)).join(' '));
  grant.addResourceScope(server, scopes.filter((scope) => !OPENID.includes(scope)).join(' '));
  const result = { consent: { grantId: await grant.save() } };
  return provider.interactionFinished(req, res, result, { mergeWithLastSubmission: true });
}

async function resource(req, res) {
  const url = new URL(req.url, base);
  const json = (status, body, challenge) => {
    const headers = { 'content-type': 'application/json', ...(challenge && { 'www-authenticate': challenge }) };
    res.writeHead(status, headers).end(JSON.stringify(body));
  };
  if (url.pathname === '/browse') return json(200, await browse(url.searchParams.get('page')));
  if (url.pathname === '/control') {
    needs = url.searchParams.get('needs') ?? needs;
    return json(200, counts);
  }
  if (url.pathname === metadata) {
    const proofs = options.dpop && { dpop_signing_alg_values_supported: ['ES256'] };
    return json(200, { resource: server, authorization_servers: [issuer], scopes_supported: ['read'], ...proofs });
  }
  const [scheme, value] = (req.headers.authorization ?? '').split(' ');
  const where = `resource_metadata="${base}${metadata}"`;
  const token = value && ((await provider.AccessToken.find(value)) ?? (await provider.ClientCredentials.find(value)));
  const bound = token?.jkt ? 'DPoP' : 'Bearer';
  if (!token || token.isExpired || token.aud !== server || scheme !== bound) {
    return json(401, {}, `${options.dpop ? 'DPoP' : 'Bearer'} ${where}`);
  }
  if (!needs.split(' ').every((need) => !need || (token.scope ?? '').split(' ').includes(need))) {
    return json(403, {}, `${scheme} error="insufficient_scope", scope="${needs}", ${where}`);
  }
  return json(200, {});
}

async function browse(page) {
  const cookies = new Map();
  for (let at = page, steps = 0; steps < 20; steps += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(at, { redirect: 'manual', headers: { cookie } });
    for (const set of response.headers.getSetCookie()) {
      const [name, value] = set.split(';')[0].split(/=(.*)/s);
      cookies.set(name, value);
    }
    const next = response.headers.get('location');
    if (!next) return { status: response.status };
    at = new URL(next, at).href;
  }
  throw new Error('the browser is sent round and round');
}

console.log(JSON.stringify({ server, issuer }));
