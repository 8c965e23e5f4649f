// Package hl7map makes FHIR resources of HL7 v2 messages by rules that are data: YAML that an integration engineer can read
// and change. Rules are read and linted once (Load) and then only run (Rules.Map): pure, without clock, network or chance.
//
// # The files
//
// All files are laid over each other into one tree: those of the program, those of the deployment, and, for a member, those
// of that member (members/<member>.yaml or members/<member>/*.yaml). Mappings are merged key by key, what is no mapping is
// replaced, null takes a key away, and "resources+: [x]" appends to the list that is there. So a member's file holds what is
// different and nothing else:
//
//	zone: Asia/Shanghai
//	tables:
//	  administrative-gender: {map: {"1": male, "2": female}}
//	templates:
//	  Observation: {bodySite: OBX-20 | CWE}
//
// # The language
//
//	zone: UTC                        # of times that name none
//	tables:
//	  administrative-gender:
//	    system: http://hl7.org/fhir/administrative-gender
//	    map: {M: male, F: female, O: other, A: {code: other, display: Ambiguous}}
//	    default: unknown             # of what is not in the map; without it that is reported, and makes nothing
//	    ignore-case: true
//	templates:
//	  CX:                            # a data type: its paths begin with a dot
//	    $type: Identifier
//	    value: .1
//	    system: .4 | authority
//	    period: {start: .7, end: .8}
//	resources:
//	  patient:
//	    type: Patient
//	    for: PATIENT                 # one for each of these groups; MESSAGE is the default
//	    when: PID-3 or PID-5
//	    id: [PID-3 | key]            # of the member and what these say, nothing else
//	    body:
//	      identifier: PID-3 | CX
//	      gender: PID-8 | table administrative-gender
//	      birthDate: PID-7
//	messages:
//	  oru:
//	    version: 1
//	    for: [ORU^R01, ORU^R30]
//	    groups:
//	      MESSAGE:     {has: [MSH, SFT], holds: [PATIENT, ORDER]}
//	      PATIENT:     {begins: [PID], has: [PD1, NTE], holds: [ORDER]}
//	      ORDER:       {begins: [ORC, OBR], has: [NTE, TQ1], holds: [OBSERVATION]}
//	      OBSERVATION: {begins: [OBX], has: [NTE], joins: {when: OBX-2 in (TX, FT), same: [OBX-3, OBX-4]}}
//	    resources: [patient, report, observation]
//
// Groups: a segment goes to the innermost open group that has it, or opens one that an open group holds and that begins
// with it. Of the segments that begin a group each may come once, in their order. joins has a segment go on with the group
// before it. What fits nowhere (Z segments) goes to the innermost open group, and may be named in rules like any other. A
// message that begins "like: oru" is laid over that one.
//
// Paths: PID-5.1.2 (field, component, subcomponent), PID-3[2] (one repetition), .1 (of the value at hand), . (that value),
// SPECIMEN/SPM-4 (in the nearest groups of that name), NTE (a segment). A path means its segment in this group, else in the
// group around it, unless this group could have it and does not. It stands for all segments and repetitions that there
// are: an element that may repeat takes them all, another one the first that makes something.
//
// Expressions, where a value is due:
//
//	PID-5.1                      the value, unescaped, as the element's type wants it: a date, a number, a code
//	PID-8 | table NAME           through a table: a code; | coding NAME makes a Coding of it, with system and display
//	PID-3 | CX                   through a template
//	OBR-16 | @practitioner       through a resource rule whose paths begin with a dot: the resource is made, once, and this
//	                             is the reference to it; if its "when" says no, but "display" something, that alone
//	@patient                     the reference to the resources of that rule in this group or below, else in the nearest around,
//	                             but never in another group of the same kind: one order has nothing from the next
//	@observation with OBX-3.1 as OBR-26.1.1    of these, those anywhere in the message of which the first paths say what the
//	                             others say here; the first must say something
//	=final                       a constant; ="{.2} {.1}" has paths in it and is nothing if those are
//	A else B                     B where A makes nothing
//	$member $control $index      the member, MSH-10, and the place of this item among its repetitions, from 1
//	$group                       the place of this group in the message, for ids of what has no name of its own
//
// Steps between, each behind a bar (see converters in convert.go): whole, lines, join TEXT, trim, upper, lower, before TEXT,
// after TEXT, prefix TEXT, number, comparator, low, high, authority, system, uri, local, key, base64, hex, encode, media.
//
// A list holds several: an element that may repeat has them all, another the first that makes something. A mapping is an
// object, and may begin with:
//
//	$when: OBX-2 in (NM, SN) and not OBX-11 = X     conditions: a path is said; = != in matches "regexp"; and or not ( )
//	$each: NTE                                      once for each of these segments or values, which . and NTE then mean
//	$use: Observation                               the members of a template; those that stand beside it replace its own
//	$switch: OBX-2                                  and $cases: {NM SN: {members}, default: {members}}, joined to the others
//	$need: value                                    no object where this member comes to nothing
//	$value: OBX-5                                   an expression instead of members
//
// An object is made if something in it comes from the message, or if all of it is constant.
//
// A resource rule has besides type, for, when, id and body:
//
//	each: DG1           one for each of these segments or values
//	distinct: true      two with the same id in a message are two things, told apart by their order, not one said twice
//	part: [@report]     what it belongs to and is replaced with; without it, it is shared and merged into what is there
//	at: OBR-22          when it became so
//	display: ="{.2}"    what a reference says beside the id
//	yields: {status: not PV1-45}   elements that, under a condition, are a guess: they give way to what the hub has
//
// Load refuses elements that FHIR R4 does not have, unknown names, paths and steps, with file and line.
package hl7map
