// Package bench is the project's own load: it asks a hub, and beside it Orthanc where that is installed, for the same
// work in turns, never both at once, and prints what each did.
//
// A Site is a server under load. A Work is one line of the table. Work is done in rounds; in each round the hub has its
// turn and then every peer, and a turn ends in a Sample: how much was done in what time, and how long single requests
// took. What the table shows are the medians of the rounds. The ratio is the median of the rounds' own ratios, so that
// a machine which is busy for a while does not favour whoever had its turn at another time.
//
// The generator shares the machine with the servers, so it is lean: requests are made ready beforehand, each client keeps
// one connection, bodies are read into a buffer that is used again. It takes some 15 µs of processor a small request and
// 0.1 ms a megabyte. Every answer is checked, status and content, outside the time measured where that costs: a wrong answer
// ends the work with an error.
package bench
