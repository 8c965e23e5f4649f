package keeper

import "math/bits"

// locks is a set of spaces to be locked together, always in ascending order.
type locks struct{ use, write [spaceCount / 64]uint64 }

func (l *locks) add(space int, write bool) {
	l.use[space/64] |= 1 << (space % 64)
	if write {
		l.write[space/64] |= 1 << (space % 64)
	}
}

func (l *locks) addAll(write bool) {
	for i := range l.use {
		l.use[i] = ^uint64(0)
		if write {
			l.write[i] = ^uint64(0)
		}
	}
}

func (l *locks) each(do func(space int, write bool)) {
	for i, word := range l.use {
		for ; word != 0; word &= word - 1 {
			bit := bits.TrailingZeros64(word)
			do(i*64+bit, l.write[i]>>bit&1 != 0)
		}
	}
}

func (l *locks) lock(k *Keeper) {
	l.each(func(space int, write bool) {
		sp := &k.spaces[space]
		if !write {
			sp.mu.RLock()
			return
		}
		sp.mu.Lock()
		sp.tidy(k)
	})
}

func (l *locks) unlock(k *Keeper) {
	l.each(func(space int, write bool) {
		if write {
			k.spaces[space].mu.Unlock()
		} else {
			k.spaces[space].mu.RUnlock()
		}
	})
}

// lock adds the spaces that the command with these words needs.
func (cmd *command) lock(l *locks, args [][]byte) {
	if cmd.all {
		l.addAll(cmd.write)
		return
	}
	if cmd.first == 0 {
		return
	}
	last := cmd.last
	if last < 0 {
		last += len(args)
	}
	for i := cmd.first; i <= last; i += cmd.step {
		l.add(spaceOf(args[i]), cmd.write)
	}
}

// perform runs a command that is not part of a transaction, with its spaces locked.
func (k *Keeper) perform(cmd *command, c *call) {
	switch {
	case cmd.all || cmd.first != cmd.last:
		var l locks
		cmd.lock(&l, c.args)
		l.lock(k)
		defer l.unlock(k)
		cmd.run(c)
	case cmd.first == 0:
		cmd.run(c)
	case cmd.write:
		sp := c.space(c.args[cmd.first])
		sp.mu.Lock()
		defer sp.mu.Unlock()
		sp.tidy(k)
		cmd.run(c)
	default:
		sp := c.space(c.args[cmd.first])
		sp.mu.RLock()
		defer sp.mu.RUnlock()
		cmd.run(c)
	}
}
