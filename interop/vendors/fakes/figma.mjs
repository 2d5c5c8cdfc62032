// Figma: one file with a screen of each kind of node that code needs, a screen of 2,000 nodes, pages of versions, and
// comments. Rendered images can be loaded.
import { Refusal, moment, page, png } from '../fake-server.mjs';

const refusal = (status, err, headers) => new Refusal(status, { status, err }, headers);
const user = { id: '7', handle: 'Ada', img_url: 'https://figma.example/ada.png' };
const color = (r, g, b, a = 1) => ({ r, g, b, a });
const solid = (r, g, b, more = {}) => ({ type: 'SOLID', blendMode: 'NORMAL', color: color(r, g, b), ...more });
let last = 0;

function node(type, name, [x, y, width, height], more) {
  const box = { x, y, width, height };
  return { id: `1:${++last}`, name, type, scrollBehavior: 'SCROLLS', blendMode: 'PASS_THROUGH', absoluteBoundingBox: box, absoluteRenderBounds: box, fills: [], effects: [], ...more };
}
const frame = (name, box, children, more = {}) => node('FRAME', name, box, { clipsContent: false, children, ...more });
const text = (characters, box, style, more = {}) =>
  node('TEXT', characters, box, {
    characters, characterStyleOverrides: [], styleOverrideTable: {}, lineTypes: ['NONE'], lineIndentations: [0],
    style: { fontFamily: 'Inter', fontWeight: 400, fontSize: 14, lineHeightPx: 20, letterSpacing: 0, textAlignHorizontal: 'LEFT', ...style }, ...more
  });

const checkout = frame('Checkout', [0, 0, 390, 844], [
  text('Your cart', [24, 48, 200, 32], { fontWeight: 700, fontSize: 24, lineHeightPx: 32 }, { fills: [solid(0.0625, 0.09375, 0.15625)], styles: { text: '9:1' } }),
  frame('Total', [24, 100, 342, 56], [
    text('Total', [40, 118, 60, 20], {}, { layoutSizingHorizontal: 'HUG', layoutSizingVertical: 'HUG' }),
    text('€ 42.00', [280, 118, 70, 20], { textAlignHorizontal: 'RIGHT' }, { layoutGrow: 1 })
  ], {
    layoutMode: 'HORIZONTAL', itemSpacing: 8, paddingLeft: 16, paddingRight: 16, paddingTop: 12, paddingBottom: 12, primaryAxisAlignItems: 'SPACE_BETWEEN', counterAxisAlignItems: 'CENTER',
    layoutSizingHorizontal: 'FILL', layoutSizingVertical: 'FIXED', cornerRadius: 12, fills: [solid(1, 1, 1, { opacity: 0.5 })], strokes: [solid(0.8, 0.8, 0.8)], strokeWeight: 1,
    effects: [{ type: 'DROP_SHADOW', visible: true, color: color(0, 0, 0, 0.25), blendMode: 'NORMAL', offset: { x: 0, y: 2 }, radius: 4, spread: 0, showShadowBehindNode: false }],
    boundVariables: { itemSpacing: { type: 'VARIABLE_ALIAS', id: 'VariableID:1:1' } }
  }),
  node('RECTANGLE', 'Photo', [24, 172, 342, 200], { fills: [{ type: 'IMAGE', blendMode: 'NORMAL', scaleMode: 'FILL', imageRef: 'a1b2' }] }),
  node('RECTANGLE', 'Shade', [24, 372, 342, 40], {
    fills: [{
      type: 'GRADIENT_LINEAR', blendMode: 'NORMAL', gradientHandlePositions: [{ x: 0, y: 0 }, { x: 0, y: 1 }, { x: 1, y: 0 }],
      gradientStops: [{ position: 0, color: color(0, 0, 0) }, { position: 1, color: color(1, 1, 1) }]
    }]
  }),
  node('INSTANCE', 'Pay', [24, 760, 342, 48], {
    clipsContent: false, componentId: '5:1', overrides: [], componentProperties: { 'Label#1:0': { type: 'TEXT', value: 'Pay now' } }, children: [],
    interactions: [{ trigger: { type: 'ON_CLICK' }, actions: [{ type: 'NODE', destinationId: '1:99', navigation: 'NAVIGATE', transition: null, preserveScrollPosition: false }] }]
  }),
  text('Draft note', [0, 0, 10, 10], {}, { visible: false })
], { layoutMode: 'VERTICAL', itemSpacing: 16, fills: [solid(0.96875, 0.96875, 0.96875)], clipsContent: true });

// Each card is four nodes: with the frame itself, 2,001.
const cards = Array.from({ length: 500 }, (_, at) => frame(`Card ${at}`, [0, at * 80, 390, 72], [
  node('RECTANGLE', 'Picture', [8, at * 80 + 8, 56, 56], { fills: [{ type: 'IMAGE', blendMode: 'NORMAL', scaleMode: 'FIT', imageRef: 'a1b2' }] }),
  text(`Gear ${at}`, [80, at * 80 + 8, 200, 20], { fontWeight: 600 }),
  text('€ 4.20', [80, at * 80 + 32, 200, 20], {})
], { layoutMode: 'HORIZONTAL', itemSpacing: 8 }));
const catalog = frame('Catalog', [400, 0, 390, 40000], cards, { layoutMode: 'VERTICAL', itemSpacing: 8 });
const canvas = {
  id: '0:1', name: 'Shop', type: 'CANVAS', scrollBehavior: 'SCROLLS', children: [checkout, catalog], backgroundColor: color(1, 1, 1), flowStartingPoints: [],
  prototypeStartNodeID: null, prototypeDevice: { type: 'NONE', rotation: 'NONE' }
};
const documentNode = { id: '0:0', name: 'Document', type: 'DOCUMENT', scrollBehavior: 'SCROLLS', children: [canvas] };
const components = { '5:1': { key: 'c0ffee', name: 'Button/Primary', description: '', documentationLinks: [], remote: false } };
const styles = { '9:1': { key: 'beef', name: 'Heading/L', description: '', remote: false, styleType: 'TEXT' } };
const head = { name: 'Shop', role: 'owner', lastModified: moment(), editorType: 'figma', thumbnailUrl: 'https://figma.example/shop.png', version: '900' };
const versions = [5, 4, 3, 2, 1].map((id) => ({ id: String(id), created_at: moment(id), label: `Version ${id}`, description: '', user, thumbnail_url: 'https://figma.example/v.png' }));
const comments = new Map();

function cut(own, depth) {
  if (!own.children) return own;
  return { ...own, children: depth > 0 ? own.children.map((child) => cut(child, depth - 1)) : [] };
}

function find(id, own = documentNode) {
  if (own.id === id) return own;
  for (const child of own.children ?? []) {
    const found = find(id, child);
    if (found) return found;
  }
  return null;
}

function file({ key }) {
  if (key !== 'shop') throw refusal(404, 'Not found');
}

export const vendor = {
  credential: 'figd_mock',
  credentialOf: (headers) => headers['x-figma-token'] ?? '',
  lost: () => refusal(403, 'Invalid token'),
  limited: (seconds) => refusal(429, 'Rate limit exceeded', { 'retry-after': String(seconds) }),
  missing: () => refusal(404, 'Not found'),
  files: { '/images/node.png': { type: 'image/png', body: png } },
  routes: [
    ['GET', '/v1/me', () => ({ ...user, email: 'ada@acme.example' })],
    ['GET', '/v1/files/{key}', (given, { query }) => {
      file(given);
      return { ...head, document: cut(documentNode, Number(query.depth ?? 9)), components, componentSets: {}, schemaVersion: 0, styles };
    }],
    ['GET', '/v1/files/{key}/nodes', (given, { query }) => {
      file(given);
      const own = (id) => {
        const found = find(id);
        return found && { document: cut(found, Number(query.depth ?? 99)), components, componentSets: {}, schemaVersion: 0, styles };
      };
      return { ...head, nodes: Object.fromEntries(query.ids.split(',').map((id) => [id, own(id)])) };
    }],
    ['GET', '/v1/images/{key}', (given, { query, origin }) => {
      file(given);
      return { err: null, images: Object.fromEntries(query.ids.split(',').map((id) => [id, find(id) && `${origin}/images/node.png`])) };
    }],
    ['GET', '/v1/files/{key}/versions', (given, { query, url, origin }) => {
      file(given);
      const start = query.before ? versions.findIndex(({ id }) => Number(id) < Number(query.before)) : 0;
      const { items, next } = page(versions, start, Number(query.page_size ?? 30));
      const before = `${origin}${url.pathname}?page_size=${query.page_size}&before=${items.at(-1).id}`;
      return { versions: items, pagination: next === null ? {} : { next_page: before } };
    }],
    ['GET', '/v1/files/{key}/variables/local', (given) => {
      file(given);
      const variable = (id, name, resolvedType, valuesByMode) => ({
        id, name, key: id, variableCollectionId: 'VariableCollectionId:1:0', resolvedType, valuesByMode, remote: false, description: '', hiddenFromPublishing: false, scopes: ['ALL_SCOPES'], codeSyntax: {}
      });
      return {
        status: 200, error: false,
        meta: {
          variables: {
            'VariableID:1:1': variable('VariableID:1:1', 'space/s', 'FLOAT', { '1:0': 8, '1:1': 6 }),
            'VariableID:1:2': variable('VariableID:1:2', 'color/brand', 'COLOR', { '1:0': color(0, 0.5, 1), '1:1': color(1, 1, 1, 0.5) })
          },
          variableCollections: {
            'VariableCollectionId:1:0': {
              id: 'VariableCollectionId:1:0', name: 'Tokens', key: 'tokens', modes: [{ modeId: '1:0', name: 'Light' }, { modeId: '1:1', name: 'Dark' }], defaultModeId: '1:0', remote: false,
              hiddenFromPublishing: false, variableIds: ['VariableID:1:1', 'VariableID:1:2']
            }
          }
        }
      };
    }],
    ['GET', '/v1/files/{key}/comments', (given) => {
      file(given);
      return { comments: [...comments.values()] };
    }],
    ['POST', '/v1/files/{key}/comments', (given, { body }) => {
      file(given);
      const id = String(100 + comments.size);
      comments.set(id, { id, file_key: 'shop', parent_id: body.comment_id ?? '', user, created_at: moment(comments.size), resolved_at: null, message: body.message, client_meta: body.client_meta ?? { x: 0, y: 0 }, reactions: [], order_id: '1' });
      return comments.get(id);
    }],
    ['DELETE', '/v1/files/{key}/comments/{id}', ({ id }) => {
      if (!comments.delete(id)) throw refusal(404, 'Comment not found');
      return { status: 200, error: false, i18n: null };
    }]
  ]
};
