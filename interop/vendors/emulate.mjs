// Starts the emulators of `emulate`, one for each vendor. The argument is their ports as JSON, `{"linear": 4001, …}`.
import { createEmulator } from 'emulate';

const seeds = {
  linear: {
    organization: { name: 'Acme', url_key: 'acme' },
    users: [
      { email: 'ada@acme.example', name: 'Ada Lovelace', admin: true },
      { email: 'grace@acme.example', name: 'Grace Hopper' }
    ],
    teams: [
      {
        key: 'ENG',
        name: 'Engineering',
        states: [
          { name: 'Todo', type: 'unstarted' },
          { name: 'In Progress', type: 'started' },
          { name: 'Done', type: 'completed' }
        ]
      }
    ],
    labels: [
      { name: 'Bug', color: '#d92d20', team: 'ENG' },
      { name: 'Feature', color: '#2563eb', team: 'ENG' }
    ],
    issues: [
      { team: 'ENG', title: 'Checkout fails', description: 'The cart stays empty.', state: 'Todo', labels: ['Bug'] },
      { team: 'ENG', title: 'Export as CSV', state: 'In Progress', labels: ['Feature'] }
    ]
  },
  slack: {
    team: { name: 'Acme', domain: 'acme' },
    users: [
      { name: 'ada', real_name: 'Ada Lovelace', email: 'ada@acme.example', is_admin: true },
      { name: 'grace', real_name: 'Grace Hopper', email: 'grace@acme.example' }
    ],
    channels: [{ name: 'engineering', topic: 'Builds and releases' }]
  },
  github: {
    users: [{ login: 'ada', name: 'Ada Lovelace', email: 'ada@acme.example' }],
    repos: [{ owner: 'ada', name: 'engine', description: 'The analytical engine', auto_init: true }]
  },
  google: {
    users: [{ email: 'ada@acme.example', name: 'Ada Lovelace' }],
    messages: ['First', 'Second', 'Third'].map((name, at) => ({
      id: `msg_${at}`,
      thread_id: `thread_${at}`,
      user_email: 'ada@acme.example',
      from: 'Grace Hopper <grace@acme.example>',
      to: 'ada@acme.example',
      subject: `${name} report`,
      body_text: `The ${name.toLowerCase()} report is ready.`,
      label_ids: ['INBOX', 'UNREAD']
    })),
    calendars: [{ id: 'primary', user_email: 'ada@acme.example', summary: 'Ada', primary: true, time_zone: 'UTC' }],
    calendar_events: [
      {
        id: 'kickoff',
        user_email: 'ada@acme.example',
        calendar_id: 'primary',
        summary: 'Kickoff',
        start_date_time: '2026-03-02T09:00:00.000Z',
        end_date_time: '2026-03-02T09:30:00.000Z'
      }
    ],
    drive_items: [
      { id: 'plans', user_email: 'ada@acme.example', name: 'Plans', mime_type: 'application/vnd.google-apps.folder' },
      { id: 'notes', user_email: 'ada@acme.example', name: 'notes.txt', mime_type: 'text/plain', data: 'Buy gears.' }
    ]
  },
  stripe: {
    customers: [{ email: 'ada@acme.example', name: 'Ada Lovelace' }],
    products: [{ name: 'Engine' }],
    prices: [1000, 2000, 3000].map((unit_amount) => ({ product_name: 'Engine', currency: 'usd', unit_amount }))
  }
};
// The token of each vendor, in the form that its manifest asks for, and the user it belongs to.
const tokens = {
  linear: { lin_api_mock: { login: 'ada@acme.example', scopes: ['read', 'write', 'issues:create', 'comments:create'] } },
  slack: { 'xoxp-mock': { login: 'ada', scopes: [] } },
  github: { github_pat_mock: { login: 'ada', scopes: ['repo', 'user'] } },
  google: { 'ya29.mock': { login: 'ada@acme.example', scopes: ['openid', 'email'] } },
  stripe: { rk_test_mock: { login: 'rk_test_mock', scopes: [] } }
};

for (const [service, port] of Object.entries(JSON.parse(process.argv[2]))) {
  const seed = { tokens: tokens[service], [service]: seeds[service] };
  await createEmulator({ service, port, baseUrl: `http://127.0.0.1:${port}`, seed });
}
