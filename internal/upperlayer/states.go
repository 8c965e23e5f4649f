package upperlayer

// state is a state of the upper layer (PS3.8 9.2.1).
type state uint8

const (
	idle             state = iota + 1 // Sta1
	awaitRequest                      // Sta2: transport open, an A-ASSOCIATE-RQ is due
	awaitAnswer                       // Sta3: the local user has to answer a proposal
	connecting                        // Sta4
	awaitAccept                       // Sta5: an A-ASSOCIATE-AC or -RJ is due
	established                       // Sta6
	awaitRelease                      // Sta7: an A-RELEASE-RP is due
	releaseAsked                      // Sta8: the local user has to answer a release
	collisionAsked                    // Sta9: release collision, requestor, local answer due
	collisionAwait                    // Sta10: release collision, acceptor, A-RELEASE-RP due
	collisionAwaitRQ                  // Sta11: release collision, requestor, A-RELEASE-RP due
	collisionAskedAC                  // Sta12: release collision, acceptor, local answer due
	awaitClose                        // Sta13
)

// event is an event of PS3.8 9.2.3, in the order of Table 9-10.
type event uint8

const (
	evAssociate     event = iota + 1 // Evt1: local A-ASSOCIATE request
	evConnected                      // Evt2
	evAccept                         // Evt3: A-ASSOCIATE-AC
	evReject                         // Evt4: A-ASSOCIATE-RJ
	evOpened                         // Evt5: transport connection indication
	evRequest                        // Evt6: A-ASSOCIATE-RQ
	evSayAccept                      // Evt7: local answer, accept
	evSayReject                      // Evt8: local answer, reject
	evSendData                       // Evt9: local P-DATA request
	evData                           // Evt10: P-DATA-TF
	evSayRelease                     // Evt11: local A-RELEASE request
	evRelease                        // Evt12: A-RELEASE-RQ
	evReleased                       // Evt13: A-RELEASE-RP
	evAnswerRelease                  // Evt14: local A-RELEASE response
	evSayAbort                       // Evt15: local A-ABORT request
	evAbort                          // Evt16: A-ABORT
	evClosed                         // Evt17: the transport is closed
	evExpired                        // Evt18: ARTIM has expired
	evInvalid                        // Evt19: unrecognised or invalid PDU
	events
)

// effect is what an action does.
type effect uint16

const (
	sends       effect = 1 << iota // the PDU that the event is about
	sendsAbort                     // A-ABORT
	startsTimer                    // (re)starts ARTIM
	stopsTimer                     // stops ARTIM
	closes                         // closes the transport
	indicates                      // tells the local user what the event says
	fails                          // tells the local user that the association is aborted
)

// action is an action of PS3.8 Tables 9-6 to 9-9.
type action struct {
	name string
	does effect
}

// The actions.
var (
	ae1  = &action{"AE-1", 0} // the dialler connects
	ae2  = &action{"AE-2", sends}
	ae3  = &action{"AE-3", indicates}
	ae4  = &action{"AE-4", indicates | closes}
	ae5  = &action{"AE-5", startsTimer}
	ae6  = &action{"AE-6", stopsTimer | indicates} // what the provider cannot accept is refused by AE-8 at once, to the same effect
	ae7  = &action{"AE-7", sends}
	ae8  = &action{"AE-8", sends | startsTimer}
	dt1  = &action{"DT-1", sends}
	dt2  = &action{"DT-2", indicates}
	ar1  = &action{"AR-1", sends}
	ar2  = &action{"AR-2", indicates}
	ar3  = &action{"AR-3", indicates | closes}
	ar4  = &action{"AR-4", sends | startsTimer}
	ar5  = &action{"AR-5", stopsTimer | closes}
	ar6  = &action{"AR-6", indicates}
	ar7  = &action{"AR-7", sends}
	ar8  = &action{"AR-8", indicates}
	ar9  = &action{"AR-9", sends}
	ar10 = &action{"AR-10", indicates}
	aa1  = &action{"AA-1", sendsAbort | startsTimer}
	aa2  = &action{"AA-2", stopsTimer | closes}
	aa3  = &action{"AA-3", fails | closes}
	aa4  = &action{"AA-4", fails | closes}
	aa5  = &action{"AA-5", stopsTimer | closes}
	aa6  = &action{"AA-6", 0}
	aa7  = &action{"AA-7", sendsAbort}
	aa8  = &action{"AA-8", sendsAbort | fails | startsTimer}
)

// cell is what an event does in a state: an action and the state after it.
type cell struct {
	does *action
	next state
}

type row [awaitClose + 1]cell

// transitions is PS3.8 Table 9-10. An empty cell cannot happen, or is a mistake of the local user.
func transitions() [events]row {
	// surprise is a row for a PDU that is due in the given states only.
	surprise := func(due map[state]cell) row {
		r := row{awaitRequest: {aa1, awaitClose}, awaitAnswer: {aa8, awaitClose}, awaitClose: {aa6, awaitClose}}
		for s := awaitAccept; s <= collisionAskedAC; s++ {
			r[s] = cell{aa8, awaitClose}
		}
		for s, c := range due {
			r[s] = c
		}
		return r
	}
	// always is a row for what can come at any time once there is a transport.
	always := func(first, open, last cell) row {
		r := row{awaitRequest: first, awaitAnswer: open, awaitClose: last}
		for s := awaitAccept; s <= collisionAskedAC; s++ {
			r[s] = open
		}
		return r
	}
	aborted := always(cell{}, cell{aa1, awaitClose}, cell{})
	aborted[connecting] = cell{aa2, idle}
	closed := always(cell{aa5, idle}, cell{aa4, idle}, cell{ar5, idle})
	closed[connecting] = cell{aa4, idle}
	return [events]row{
		evAssociate:     {idle: {ae1, connecting}},
		evConnected:     {connecting: {ae2, awaitAccept}},
		evAccept:        surprise(map[state]cell{awaitAccept: {ae3, established}}),
		evReject:        surprise(map[state]cell{awaitAccept: {ae4, idle}}),
		evOpened:        {idle: {ae5, awaitRequest}},
		evRequest:       surprise(map[state]cell{awaitRequest: {ae6, awaitAnswer}, awaitClose: {aa7, awaitClose}}),
		evSayAccept:     {awaitAnswer: {ae7, established}},
		evSayReject:     {awaitAnswer: {ae8, awaitClose}},
		evSendData:      {established: {dt1, established}, releaseAsked: {ar7, releaseAsked}},
		evData:          surprise(map[state]cell{established: {dt2, established}, awaitRelease: {ar6, awaitRelease}}),
		evSayRelease:    {established: {ar1, awaitRelease}},
		evRelease:       surprise(map[state]cell{established: {ar2, releaseAsked}, awaitRelease: {ar8, collisionAsked}}), // the acceptor: collisionAwait
		evReleased:      surprise(map[state]cell{awaitRelease: {ar3, idle}, collisionAwait: {ar10, collisionAskedAC}, collisionAwaitRQ: {ar3, idle}}),
		evAnswerRelease: {releaseAsked: {ar4, awaitClose}, collisionAsked: {ar9, collisionAwaitRQ}, collisionAskedAC: {ar4, awaitClose}},
		evSayAbort:      aborted,
		evAbort:         always(cell{aa2, idle}, cell{aa3, idle}, cell{aa2, idle}),
		evClosed:        closed,
		evExpired:       {awaitRequest: {aa2, idle}, awaitClose: {aa2, idle}},
		evInvalid:       always(cell{aa1, awaitClose}, cell{aa8, awaitClose}, cell{aa7, awaitClose}),
	}
}

// step is the transition that an event causes; ok is false where Table 9-10 has no cell.
func step(table *[events]row, e event, s state, requestor bool) (c cell, ok bool) {
	c = table[e][s]
	if c.does == ar8 && !requestor {
		c.next = collisionAwait
	}
	return c, c.does != nil
}
