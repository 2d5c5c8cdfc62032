// A stateful fake of a vendor: the routes of `fakes/NAME.mjs`, with the vendor's limit and its refusal of a lost token.
// The arguments are the name, the port, and, optionally, the URL of a mock that answers the other routes.
//
// The ending of the credential chooses the refusal of each second request with it: `-limited-ID` is answered with 429 and no
// time to wait, `-stopped-ID` with 429 and an hour to wait, `-lost-ID` with 401. Other credentials are refused.
import { serve } from './fake-server.mjs';

const [name, port, upstream] = process.argv.slice(2);
const { vendor } = await import(`./fakes/${name}.mjs`);
serve(vendor, Number(port), upstream);
