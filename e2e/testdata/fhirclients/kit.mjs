// Drives a hub with fhir-kit-client: node kit.mjs URL TOKEN. CONCORD_TEST_NODE is the folder with node_modules.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

// The package is of ES modules only, which are looked for beside this file and not in the folder given.
const folder = path.join(process.env.CONCORD_TEST_NODE, 'node_modules', 'fhir-kit-client');
const { exports: doors } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
const { Client, CapabilityTool } = await import(pathToFileURL(path.join(folder, doors['.'].import)));
const [baseUrl, bearerToken] = process.argv.slice(2);
const client = new Client({ baseUrl, bearerToken });
const mine = `urn:kit:${crypto.randomUUID()}`; // so that it can be run again

const step = async (what, does) => {
  try {
    await does();
  } catch (e) {
    console.error(`${what}: ${e.stack}\n${JSON.stringify(e.response?.data ?? '')}`);
    process.exit(1);
  }
};
const answerTo = (result) => Client.httpFor(result).response;
const refused = (promise, status, saying) => assert.rejects(promise, (e) => {
  assert.equal(e.response?.status, status, e.message);
  assert.equal(e.response.data.resourceType, 'OperationOutcome');
  assert.match(e.response.data.issue[0].diagnostics, saying);
  return true;
});
const ids = (bundle) => (bundle.entry ?? []).filter((e) => e.search?.mode !== 'include').map((e) => e.resource.id);
const patient = (n, more) => ({
  resourceType: 'Patient', identifier: [{ system: mine, value: `p${n}` }], name: [{ family: '张', given: ['伟'] }], gender: 'female', ...more,
});
let zhang;

await step('the statement says what the client will ask for', async () => {
  const statement = await client.capabilityStatement();
  assert.equal(statement.fhirVersion, '4.0.1');
  const can = new CapabilityTool(statement);
  for (const does of ['read', 'vread', 'update', 'patch', 'delete', 'history-instance', 'history-type', 'create', 'search-type']) {
    assert.ok(can.resourceCan('Patient', does), does);
  }
  for (const does of ['transaction', 'batch', 'search-system', 'history-system']) assert.ok(can.serverCan(does), does);
  assert.ok(can.searchParamsFor({ resourceType: 'Observation' }).includes('code-value-quantity'));
});

await step('the place to get a token from is found, wherever the client looks first', async () => {
  assert.equal((await client.smartAuthMetadata()).tokenUrl.pathname, '/oauth/token');
});

await step('create, read, vread', async () => {
  zhang = await client.create({ resourceType: 'Patient', body: patient(1) });
  assert.equal(answerTo(zhang).status, 201);
  assert.equal(answerTo(zhang).headers.get('location'), `${baseUrl}/Patient/${zhang.id}/_history/1`);
  assert.deepEqual(await client.read({ resourceType: 'Patient', id: zhang.id }), zhang);
  assert.deepEqual(await client.vread({ resourceType: 'Patient', id: zhang.id, version: '1' }), zhang);
});

await step('update with If-Match', async () => {
  const options = { headers: { 'If-Match': 'W/"1"' } };
  const body = { ...zhang, birthDate: '1970-01-02' };
  const updated = await client.update({ resourceType: 'Patient', id: zhang.id, body, options });
  assert.equal(updated.meta.versionId, '2');
  assert.equal(answerTo(updated).headers.get('etag'), 'W/"2"');
  await refused(client.update({ resourceType: 'Patient', id: zhang.id, body, options }), 412, /version 2/);
});

await step('JSON Patch', async () => {
  const jsonPatch = [{ op: 'test', path: '/gender', value: 'female' }, { op: 'replace', path: '/birthDate', value: '1970-01-03' }];
  const patched = await client.patch({ resourceType: 'Patient', id: zhang.id, jsonPatch });
  assert.equal(patched.birthDate, '1970-01-03');
  assert.equal(patched.meta.versionId, '3');
  await refused(client.patch({ resourceType: 'Patient', id: zhang.id, jsonPatch: [{ op: 'test', path: '/gender', value: 'male' }] }), 409, /test/);
});

await step('conditional create', async () => {
  const again = { resourceType: 'Patient', body: patient(1), options: { headers: { 'If-None-Exist': `identifier=${mine}|p1` } } };
  const met = await client.create(again);
  assert.equal(answerTo(met).status, 200);
  assert.equal(met.id, zhang.id);
});

await step('conditional update makes one, then changes it', async () => {
  const by = { resourceType: 'Patient', searchParams: { identifier: `${mine}|p2` } };
  const made = await client.update({ ...by, body: patient(2) });
  assert.equal(answerTo(made).status, 201);
  const changed = await client.update({ ...by, body: patient(2, { active: true }) });
  assert.equal(answerTo(changed).status, 200);
  assert.equal(changed.id, made.id);
  assert.equal(changed.meta.versionId, '2');
});

await step('conditional delete', async () => {
  await client.request(`Patient?identifier=${mine}|p2`, { method: 'DELETE' });
  assert.deepEqual(ids(await client.search({ resourceType: 'Patient', searchParams: { identifier: `${mine}|p2` } })), []);
});

await step('transaction', async () => {
  const observation = (n) => ({
    fullUrl: `urn:uuid:00000000-0000-4000-8000-00000000000${n}`,
    resource: {
      resourceType: 'Observation', status: 'final', code: { coding: [{ system: 'http://loinc.org', code: n % 2 ? '8867-4' : '8310-5' }] },
      category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }] }],
      subject: { reference: `Patient/${zhang.id}` }, effectiveDateTime: `2026-01-0${n}`, valueQuantity: { value: 60 + n },
      performer: [{ reference: 'urn:uuid:00000000-0000-4000-8000-0000000000aa' }],
    },
    request: { method: 'POST', url: 'Observation' },
  });
  const doctor = {
    fullUrl: 'urn:uuid:00000000-0000-4000-8000-0000000000aa',
    resource: { resourceType: 'Practitioner', name: [{ family: '李' }] }, request: { method: 'POST', url: 'Practitioner' },
  };
  const done = await client.transaction({ body: { resourceType: 'Bundle', type: 'transaction', entry: [doctor, ...[1, 2, 3, 4, 5].map(observation)] } });
  assert.equal(done.type, 'transaction-response');
  assert.deepEqual(done.entry.map((e) => e.response.status), Array(6).fill('201 Created'));
});

await step('a transaction with a fault changes nothing', async () => {
  const entry = [patient(3), patient(4, { gender: 'femal' })].map((resource) => ({ resource, request: { method: 'POST', url: 'Patient' } }));
  await refused(client.transaction({ body: { resourceType: 'Bundle', type: 'transaction', entry } }), 400, /code|value set|gender/);
  assert.deepEqual(ids(await client.search({ resourceType: 'Patient', searchParams: { identifier: `${mine}|p3` } })), []);
});

await step('batch: each entry by itself', async () => {
  const done = await client.batch({ body: { resourceType: 'Bundle', type: 'batch', entry: [
    { request: { method: 'GET', url: `Patient/${zhang.id}` } },
    { request: { method: 'GET', url: 'Patient/there-is-none' } },
    { request: { method: 'GET', url: `Observation?patient=${zhang.id}&_summary=count` } },
  ] } });
  assert.equal(done.type, 'batch-response');
  assert.deepEqual(done.entry.map((e) => e.response.status.slice(0, 3)), ['200', '404', '200']);
  assert.equal(done.entry[2].resource.total, 5);
});

await step('search by GET and POST, page by page', async () => {
  const asked = { resourceType: 'Observation', searchParams: { patient: zhang.id, _count: 2, _sort: '-date' } };
  for (const options of [{}, { postSearch: true }]) {
    const dates = [];
    let pages = 0;
    for (let page = await client.search({ ...asked, options }); page; page = await client.nextPage({ bundle: page })) {
      pages += 1;
      assert.equal(page.total, 5);
      assert.equal(client.prevPage({ bundle: page }), undefined); // the hub leads forwards, and back to the first
      assert.equal(page.link.some((l) => l.relation === 'first'), true);
      dates.push(...page.entry.map((e) => e.resource.effectiveDateTime));
    }
    assert.deepEqual(dates, [5, 4, 3, 2, 1].map((n) => `2026-01-0${n}`));
    assert.equal(pages, 3);
  }
});

await step('values that repeat, chains, reverse chains and includes', async () => {
  const searchParams = { 'patient.identifier': `${mine}|p1`, date: ['ge2026-01-02', 'lt2026-01-05'], code: '8867-4,8310-5', _include: ['Observation:patient', 'Observation:performer'] };
  const found = await client.search({ resourceType: 'Observation', searchParams });
  assert.equal(ids(found).length, 3);
  assert.deepEqual(found.entry.filter((e) => e.search.mode === 'include').map((e) => e.resource.resourceType).sort(), ['Patient', 'Practitioner']);
  assert.deepEqual(ids(await client.search({ resourceType: 'Patient', searchParams: { '_has:Observation:patient:code': '8867-4', name: 'zhangwei', identifier: `${mine}|` } })), [zhang.id]);
});

await step('compartment and system search', async () => {
  const compartment = { resourceType: 'Patient', id: zhang.id };
  for (const options of [{}, { postSearch: true }]) {
    assert.equal(ids(await client.search({ resourceType: 'Observation', compartment, searchParams: { code: '8867-4' }, options })).length, 3);
  }
  const everywhere = await client.search({ searchParams: { _type: 'Patient,Practitioner', _lastUpdated: 'gt2020' } });
  assert.deepEqual([...new Set(everywhere.entry.map((e) => e.resource.resourceType))].sort(), ['Patient', 'Practitioner']);
});

await step('histories of one, of a type, of all', async () => {
  const one = await client.history({ resourceType: 'Patient', id: zhang.id });
  assert.equal(one.total, 3);
  assert.deepEqual(one.entry.map((e) => e.resource.meta.versionId), ['3', '2', '1']);
  const type = await client.history({ resourceType: 'Patient' });
  assert.ok(type.entry.some((e) => e.request.method === 'DELETE'));
  const all = await client.history();
  assert.ok(all.entry.length >= 10);
  assert.ok(all.entry.every((e, i) => i === 0 || e.response.lastModified <= all.entry[i - 1].response.lastModified));
});

await step('$everything, $lastn, $meta', async () => {
  const everything = await client.operation({ resourceType: 'Patient', id: zhang.id, name: 'everything', method: 'GET' });
  assert.equal(everything.entry.length, 7); // the patient, five observations, who measured
  const lastn = await client.operation({ resourceType: 'Observation', name: '$lastn', method: 'GET', input: { patient: `Patient/${zhang.id}`, category: 'vital-signs' } });
  assert.deepEqual(lastn.entry.map((e) => e.resource.effectiveDateTime).sort(), ['2026-01-04', '2026-01-05']);
  const meta = { resourceType: 'Parameters', parameter: [{ name: 'meta', valueMeta: { tag: [{ system: mine, code: 'seen' }] } }] };
  await client.operation({ resourceType: 'Patient', id: zhang.id, name: 'meta-add', input: meta });
  const now = await client.operation({ resourceType: 'Patient', id: zhang.id, name: 'meta', method: 'GET' });
  assert.equal(now.parameter[0].valueMeta.tag[0].code, 'seen');
  assert.deepEqual(ids(await client.search({ resourceType: 'Patient', searchParams: { _tag: `${mine}|seen` } })), [zhang.id]);
});

await step('references are resolved', async () => {
  const page = await client.search({ resourceType: 'Observation', searchParams: { patient: zhang.id, _include: 'Observation:patient' } });
  const { reference } = page.entry[0].resource.subject;
  assert.equal((await client.resolve({ reference })).id, zhang.id);
  assert.equal((await client.resolve({ reference: `${baseUrl}/${reference}` })).id, zhang.id);
  assert.equal((await client.resolve({ reference, context: page })).id, zhang.id);
});

await step('delete, then 410', async () => {
  const { id } = await client.create({ resourceType: 'Patient', body: patient(5) });
  await client.delete({ resourceType: 'Patient', id });
  await refused(client.read({ resourceType: 'Patient', id }), 410, /delet/);
  await refused(client.vread({ resourceType: 'Patient', id, version: '2' }), 410, /delet/);
  assert.equal((await client.vread({ resourceType: 'Patient', id, version: '1' })).id, id);
});

await step('what the hub does not know is refused, unless the client is lenient', async () => {
  const searchParams = { nmae: 'x' };
  await refused(client.search({ resourceType: 'Patient', searchParams }), 400, /did you mean name/);
  const lenient = await client.search({ resourceType: 'Patient', searchParams, options: { headers: { Prefer: 'handling=lenient' } } });
  assert.ok(lenient.entry.some((e) => e.search.mode === 'outcome'));
});
