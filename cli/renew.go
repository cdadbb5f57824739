package cli

import (
	"context"
	"fmt"
	"time"

	"weft/api"
	"weft/api/identity"
)

// renewalTime is how long a command may be held up by renewing credentials.
const renewalTime = 3 * time.Second

// keepFresh renews credentials that are past two thirds of their time, so that
// who uses weft now and then logs in once. They are still good when that fails,
// so it is told and no more.
func (a *app) keepFresh(ctx context.Context, client *api.Client, c identity.Credentials, path string) error {
	from, err := c.RenewalDue()
	if err != nil {
		return err
	}
	who, err := c.Identity()
	if err != nil {
		return err
	}
	if now := a.now(); now.Before(from) || now.After(who.Expires) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, renewalTime)
	defer cancel()
	fresh, err := client.Renew(ctx)
	if err == nil {
		err = fresh.Save(path)
	}
	if err != nil {
		_, err = fmt.Fprintf(a.stderr, "weft: credentials %s end at %s and could not be renewed: %v\n", path, timeText(who.Expires), err)
	}
	return err
}
