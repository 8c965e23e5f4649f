package access

// KnownTokens says how many verified tokens are remembered.
func KnownTokens(i *Issuer) int {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return len(i.known)
}
