// Package persons keeps what the hub knows of who is who: which Patients of its members are one person. The judgements are
// hub/identity's; this room finds the candidates, keeps what was judged as records, and tells it to searches.
//
// The words:
//
//   - A Pair is two Patients about whom something was judged, by the model or by a person. What a person said holds until it
//     is undone.
//   - A Person (R4 person.html) stands for a group of Patients that are linked, and gathers what they say.
//   - The Linker follows the log and judges each Patient that came or changed.
//   - The Directory tells which Patients are one person, and whether they are in doubt.
//   - The Board is the work list of those who decide.
//
// Pairs, Persons and the mark that says how far the log was followed change together, in one commit that is given up and made
// anew when another hub made one meanwhile. So the groups are always those of some order in which the Patients came.
package persons

import "concord/hub/access"

// Origin is the member name on what the hub makes itself.
const Origin = access.Hub
