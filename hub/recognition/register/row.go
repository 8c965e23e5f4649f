package register

// Row is one item of the catalogue in the words of mappings/recognition/*.yaml, of which its JSON form is an item.
type Row struct {
	ID string `json:"id"`
}
