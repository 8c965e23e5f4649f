// Drives a hub with fhir-kit-client: node interop.mjs URL TOKEN. CONCORD_TEST_NODE is the folder with node_modules.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

// The package is of ES modules only, which are looked for beside this file and not in the folder given.
const folder = path.join(process.env.CONCORD_TEST_NODE, 'node_modules', 'fhir-kit-client');
const { exports: doors } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
const door = doors['.']?.import?.default ?? doors['.']?.import ?? doors.import ?? doors['.'];
const imported = await import(pathToFileURL(path.join(folder, door)));
const Client = imported.default ?? imported.Client;
const [baseUrl, bearerToken] = process.argv.slice(2);
const client = new Client({ baseUrl, bearerToken });

const statement = await client.capabilityStatement();
assert.equal(statement.fhirVersion, '4.0.1');

const patient = await client.create({ resourceType: 'Patient', body: { resourceType: 'Patient', name: [{ family: '张' }], identifier: [{ system: 'urn:kit', value: 'p1' }] } });
assert.ok(patient.id);
const read = await client.read({ resourceType: 'Patient', id: patient.id });
assert.deepEqual(read, patient);
assert.equal((await client.vread({ resourceType: 'Patient', id: patient.id, version: '1' })).meta.versionId, '1');

read.gender = 'female';
const updated = await client.update({ resourceType: 'Patient', id: patient.id, body: read });
assert.equal(updated.meta.versionId, '2');

const observation = (n) => ({
  fullUrl: `urn:uuid:00000000-0000-4000-8000-00000000000${n}`,
  resource: {
    resourceType: 'Observation', status: 'final', code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
    subject: { reference: `Patient/${patient.id}` }, valueQuantity: { value: 60 + n },
  },
  request: { method: 'POST', url: 'Observation' },
});
const done = await client.transaction({ body: { resourceType: 'Bundle', type: 'transaction', entry: [1, 2, 3, 4, 5].map(observation) } });
assert.equal(done.type, 'transaction-response');
assert.equal(done.entry.length, 5);

let page = await client.search({ resourceType: 'Observation', searchParams: { patient: patient.id, _count: 2 } });
const ids = new Set();
let pages = 0;
while (page) {
  pages += 1;
  for (const e of page.entry ?? []) ids.add(e.resource.id);
  page = await client.nextPage({ bundle: page });
}
assert.equal(ids.size, 5);
assert.equal(pages, 3);

const posted = await client.search({ resourceType: 'Patient', searchParams: { identifier: 'urn:kit|p1' }, options: { postSearch: true } });
assert.equal(posted.entry.length, 1);

const history = await client.history({ resourceType: 'Patient', id: patient.id });
assert.equal(history.total, 2);

await client.delete({ resourceType: 'Observation', id: [...ids][0] });
await assert.rejects(client.read({ resourceType: 'Observation', id: [...ids][0] }), (e) => e.response.status === 410);
await assert.rejects(client.search({ resourceType: 'Patient', searchParams: { nmae: 'x' } }),
  (e) => e.response.status === 400 && e.response.data.resourceType === 'OperationOutcome');
