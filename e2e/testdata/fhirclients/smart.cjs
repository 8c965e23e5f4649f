// Drives a hub with fhirclient, the SMART client: node smart.cjs URL CLIENT SECRET. CONCORD_TEST_NODE is the folder with
// node_modules. The hub has no login of users: its token comes from the client's secret, the patient from the application.
const assert = require('node:assert/strict');
const path = require('node:path');
const smart = require(path.join(process.env.CONCORD_TEST_NODE, 'node_modules', 'fhirclient'));

const [serverUrl, id, secret] = process.argv.slice(2);
const mine = `urn:smart:${crypto.randomUUID()}`; // so that it can be run again

// launch is what the library wants of a web application: a request, its response, and a place to keep things in.
const kept = new Map();
const storage = { get: async (k) => kept.get(k), set: async (k, v) => (kept.set(k, v), v), unset: async (k) => kept.delete(k) };
const launch = (url) => {
  const response = { writeHead: (status, headers) => { response.to = headers.location; }, end: () => {} };
  return { api: smart({ url, headers: { host: '127.0.0.1' }, socket: {} }, response, storage), response };
};
const refused = (promise, status, saying) => assert.rejects(promise, (e) => {
  assert.equal(e.status ?? e.statusCode, status, e.message);
  assert.match(e.message, saying);
  return true;
});

const tokenOf = async (credentials, scope) => {
  const { token_endpoint: endpoint, grant_types_supported: grants } = await (await fetch(`${serverUrl}/.well-known/smart-configuration`)).json();
  assert.ok(grants.includes('client_credentials'));
  const answer = await fetch(endpoint, {
    method: 'POST', headers: { authorization: `Basic ${btoa(credentials)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope }),
  });
  return { status: answer.status, ...(await answer.json()) };
};

const main = async () => {
  const wrong = await tokenOf(`${id}:wrong`, 'system/*.read');
  assert.deepEqual([wrong.status, wrong.error], [401, 'invalid_client']);
  const token = await tokenOf(`${id}:${secret}`, 'system/*.*');
  assert.equal(token.status, 200);
  assert.equal(token.token_type, 'bearer');

  // with a token alone
  const { api } = launch('/');
  const client = api.client({ serverUrl, tokenResponse: token });
  assert.equal(await client.getFhirVersion(), '4.0.1');
  assert.equal(await client.getFhirRelease(), 4);
  await assert.rejects(client.patient.read(), /not available/);

  // create, update, patch, delete
  const patient = await client.create({ resourceType: 'Patient', identifier: [{ system: mine, value: '1' }], name: [{ text: '王芳' }], gender: 'female' });
  const doctor = await client.create({ resourceType: 'Practitioner', name: [{ text: '李强' }] });
  const changed = await client.update({ ...patient, birthDate: '1980-02-03' });
  assert.equal(changed.meta.versionId, '2');
  const patched = await client.patch(`Patient/${patient.id}`, [{ op: 'add', path: '/active', value: true }]);
  assert.equal(patched.active, true);
  await refused(client.patch(`Patient/${patient.id}`, [{ op: 'add', path: '/gendr', value: 'male' }]), 400, /gendr/);
  for (let n = 1; n <= 7; n += 1) {
    await client.create({
      resourceType: 'Observation', status: 'final', code: { coding: [{ system: 'http://loinc.org', code: n % 2 ? '8867-4' : '8310-5' }] },
      subject: { reference: `Patient/${patient.id}` }, performer: [{ reference: `Practitioner/${doctor.id}` }], effectiveDateTime: `2026-02-0${n}`,
      valueQuantity: { value: 60 + n, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
    });
  }

  // A launch that is given its patient, as an application behind an EHR gets it.
  const first = launch(`/launch?fhirServiceUrl=${encodeURIComponent(serverUrl)}`);
  await first.api.authorize({ redirectUri: '/app', patientId: patient.id, fakeTokenResponse: { access_token: token.access_token } });
  assert.match(first.response.to, /\/app\?state=/);
  const ready = await launch(new URL(first.response.to).pathname + new URL(first.response.to).search).api.ready();
  assert.equal(ready.patient.id, patient.id);
  assert.equal((await ready.patient.read()).name[0].text, '王芳');

  // The patient's own things; the parameter is one of those that the CapabilityStatement names.
  const observations = await ready.patient.request('Observation?code=http://loinc.org|8867-4');
  assert.deepEqual(observations.entry.map((e) => e.resource.subject.reference), Array(4).fill(`Patient/${patient.id}`));
  for (const type of ['Condition', 'Encounter', 'DiagnosticReport', 'MedicationRequest', 'AllergyIntolerance', 'Appointment', 'Coverage', 'Group', 'Account', 'Patient']) {
    assert.equal((await ready.patient.request(type)).resourceType, 'Bundle', type);
  }

  // page after page
  const asked = `Observation?patient=${patient.id}&_count=3&_sort=-date`;
  assert.equal((await client.request(asked)).entry.length, 3);
  const flat = await client.request(asked, { pageLimit: 0, flat: true });
  assert.deepEqual(flat.map((o) => o.effectiveDateTime), [7, 6, 5, 4, 3, 2, 1].map((n) => `2026-02-0${n}`));
  assert.equal((await client.request(asked, { pageLimit: 2, flat: true })).length, 6);
  const sizes = [];
  await client.request(asked, { pageLimit: 0, onPage: (page) => sizes.push(page.entry.length) });
  assert.deepEqual(sizes, [3, 3, 1]);
  let walked = 0;
  for await (const o of client.resources(asked)) walked += o.resourceType === 'Observation' ? 1 : 0;
  assert.equal(walked, 7);

  // references
  const page = await client.request(asked, { resolveReferences: ['subject', 'performer'] });
  assert.equal(page.entry[0].resource.subject.name[0].text, '王芳');
  assert.equal(page.entry[0].resource.performer[0].name[0].text, '李强');
  const { data, references } = await client.request(asked, { resolveReferences: ['subject'], graph: false, flat: true, pageLimit: 0 });
  assert.equal(data.length, 7);
  assert.deepEqual(Object.keys(references), [`Patient/${patient.id}`]);

  // what the library does with measurements
  const byCode = client.byCode(flat, 'code');
  assert.deepEqual(client.units.any(byCode['8867-4'][0].valueQuantity), 67);

  // refusals
  const readOnly = api.client({ serverUrl, tokenResponse: await tokenOf(`${id}:${secret}`, 'system/Patient.read') });
  assert.equal((await readOnly.request(`Patient/${patient.id}`)).id, patient.id);
  await refused(readOnly.request(asked), 403, /Observation/);
  await refused(readOnly.create({ resourceType: 'Patient' }), 403, /Patient/);
  await refused(api.client({ serverUrl }).request('Patient'), 401, /credential|token|Bearer/i);
  await refused(client.request('Patient?nmae=x'), 400, /did you mean name/);
  await client.delete(`Practitioner/${doctor.id}`);
  await refused(client.request(`Practitioner/${doctor.id}`), 410, /deleted/);
};

main().catch((e) => {
  console.error(e.stack ?? e);
  process.exit(1);
});
