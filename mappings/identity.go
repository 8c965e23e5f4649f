package mappings

import "concord/hub/identity"

// Identity is the model that comes with the program.
func Identity() (*identity.Model, error) {
	return &identity.Model{Version: "starter", KeyHolders: 64}, nil
}
