package pve

// User is GET /access/users/{userid} (12/005). Expire is in Unix seconds, 0 = never; Tokens is null where there is none (12/019).
type User struct {
	Enable *Bool                `json:"enable"`
	Expire *Int                 `json:"expire"`
	Tokens map[string]UserToken `json:"tokens"`
}

// UserToken is one of a user's API tokens; without PrivSep it has all rights of its user.
type UserToken struct {
	Expire  *Int  `json:"expire"`
	PrivSep *Bool `json:"privsep"`
}
