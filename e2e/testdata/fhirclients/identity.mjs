// Asks a hub with fhir-kit-client who is who: node identity.mjs URL TOKEN. CONCORD_TEST_NODE is the folder with node_modules.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = path.join(process.env.CONCORD_TEST_NODE, 'node_modules', 'fhir-kit-client');
const { exports: doors } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
const { Client, CapabilityTool } = await import(pathToFileURL(path.join(folder, doors['.'].import)));
const [baseUrl, bearerToken] = process.argv.slice(2);
const client = new Client({ baseUrl, bearerToken });
const ward = 'urn:kit:ward';

const patient = (more) => ({
  resourceType: 'Patient', active: true, name: [{ family: '欧阳', given: ['铭哲'] }], gender: 'male', birthDate: '1985-03-12', ...more,
});
const citizen = { system: 'urn:oid:2.16.156.10011.1.3', value: '340181198503124215' };
const phone = { system: 'phone', value: '13856012345' };
const match = (resource, ...more) => client.operation({
  resourceType: 'Patient', name: 'match', method: 'POST',
  input: { resourceType: 'Parameters', parameter: [{ name: 'resource', resource }, ...more] },
});
const grade = (entry) => entry.search.extension.find((e) => e.url === 'http://hl7.org/fhir/StructureDefinition/match-grade').valueCode;

const statement = await client.capabilityStatement();
assert.ok(statement.instantiates.some((url) => url.includes('/PIXm/')));
const can = new CapabilityTool(statement);
const offered = can.resourceCapabilities({ resourceType: 'Patient' }).operation.map((o) => o.name);
assert.ok(offered.includes('match') && offered.includes('ihe-pix'), offered.join());

const made = await client.create({ resourceType: 'Patient', body: patient({ identifier: [citizen, { system: ward, value: 'W1' }], telecom: [phone] }) });

const known = await match(patient({ identifier: [citizen] }), { name: 'onlyCertainMatches', valueBoolean: true });
assert.equal(known.type, 'searchset');
assert.equal(known.total, 1);
assert.equal(known.entry[0].resource.id, made.id);
assert.equal(known.entry[0].search.score, 1);
assert.equal(grade(known.entry[0]), 'certain');

const unsure = await match(patient({}));
assert.ok(unsure.entry.length >= 1);
for (const entry of unsure.entry) {
  assert.ok(entry.search.score >= 0 && entry.search.score < 1, 'a name and a birth date are not certain');
  assert.notEqual(grade(entry), 'certain');
}
assert.equal((await match(patient({}), { name: 'onlyCertainMatches', valueBoolean: true })).total, 0);

await assert.rejects(match({ resourceType: 'Patient', gender: 'male' }), (e) => {
  assert.equal(e.response.status, 400);
  assert.equal(e.response.data.resourceType, 'OperationOutcome');
  return true;
});

const crossed = await client.operation({
  resourceType: 'Patient', name: '$ihe-pix', method: 'GET', input: { sourceIdentifier: `${ward}|W1`, targetSystem: citizen.system },
});
assert.deepEqual(crossed.parameter.map((p) => p.valueIdentifier?.value ?? p.valueReference.reference), [citizen.value, `Patient/${made.id}`]);

await client.delete({ resourceType: 'Patient', id: made.id });
