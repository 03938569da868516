package server

import (
	"net/http"
	"regexp"
	"strconv"
	"time"

	"picket"
)

// There is no Microsoft Entra ID here. These endpoints let the credentials of
// the Azure SDKs get a bearer token for an API key, so that programs written for
// Azure need no change: DefaultAzureCredential, ManagedIdentityCredential and
// ClientSecretCredential. The audience they ask for is not looked at: this
// server is the only one that takes the token.

// managedIdentity is GET /msi of App Service's managed identity ("How to use
// managed identities for App Service", REST endpoint reference): the header
// X-IDENTITY-HEADER holds an API key.
func (s *server) managedIdentity(w http.ResponseWriter, r *http.Request) error {
	resource := r.URL.Query().Get("resource")
	if resource == "" {
		return picket.Errorf(picket.Invalid, "The request has no resource")
	}
	token, expires, err := s.Token(r.Context(), picket.Secret(r.Header.Get("X-IDENTITY-HEADER")))
	if err != nil {
		if picket.CodeOf(err) == picket.Denied {
			return &apiError{status: http.StatusUnauthorized, code: "InvalidIdentityHeader", message: "X-IDENTITY-HEADER is no API key of this server; set IDENTITY_HEADER to one"}
		}
		return err
	}
	noStore(w)
	writeJSON(w, http.StatusOK, map[string]string{
		"access_token": token.Reveal(), "expires_on": strconv.FormatInt(expires.Unix(), 10), "resource": resource, "token_type": "Bearer",
		"client_id": r.URL.Query().Get("client_id"),
	})
	return nil
}

// tenantPath is the path of a tenant's token endpoint, of its keys, or of the
// description of both.
var tenantPath = regexp.MustCompile(`^/([A-Za-z0-9.-]{1,100})/(oauth2/v2\.0/token|discovery/v2\.0/keys|v2\.0/\.well-known/openid-configuration)$`)

// tenant answers what the Microsoft identity platform has under a tenant's name
// ("OAuth 2.0 client credentials flow"); every name will do. It reports whether
// the path is one of these.
func (s *server) tenant(w http.ResponseWriter, r *http.Request) bool {
	m := tenantPath.FindStringSubmatch(r.URL.Path)
	if m == nil {
		return false
	}
	switch r.Method + " " + m[2] {
	case "POST oauth2/v2.0/token":
		s.clientCredentials(w, r)
	case "GET discovery/v2.0/keys": // none: tokens are for this server, and it checks them itself
		writeJSON(w, http.StatusOK, map[string]any{"keys": []any{}})
	case "GET v2.0/.well-known/openid-configuration":
		// Always https: secrets are sent there, and the clients take nothing else.
		base := "https://" + r.Host + "/" + m[1]
		writeJSON(w, http.StatusOK, map[string]any{
			"issuer": base + "/v2.0", "authorization_endpoint": base + "/oauth2/v2.0/authorize", "token_endpoint": base + "/oauth2/v2.0/token",
			"jwks_uri": base + "/discovery/v2.0/keys", "token_endpoint_auth_methods_supported": []string{"client_secret_post"},
			"grant_types_supported": []string{"client_credentials"}, "response_types_supported": []string{"token"}, "subject_types_supported": []string{"pairwise"},
		})
	default:
		return false
	}
	return true
}

// clientCredentials exchanges an API key, as the client's secret, for a token
// (RFC 6749 section 4.4). Which client_id comes with it does not matter.
func (s *server) clientCredentials(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code, text string) {
		noStore(w)
		writeJSON(w, status, map[string]string{"error": code, "error_description": text})
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if err := r.ParseForm(); err != nil {
		refuse(http.StatusBadRequest, "invalid_request", "The body must be a form (application/x-www-form-urlencoded) of at most 64 KiB.")
		return
	}
	if grant := r.PostForm.Get("grant_type"); grant != "client_credentials" {
		refuse(http.StatusBadRequest, "unsupported_grant_type", "grant_type must be client_credentials, with an API key of this server as client_secret.")
		return
	}
	token, expires, err := s.Token(r.Context(), picket.Secret(r.PostForm.Get("client_secret")))
	switch {
	case picket.CodeOf(err) == picket.Denied:
		refuse(http.StatusUnauthorized, "invalid_client", "client_secret is no API key of this server; make one with: picket key create")
		return
	case err != nil:
		s.Logger.Error("no token could be made", "err", err)
		refuse(http.StatusServiceUnavailable, "temporarily_unavailable", "An internal error occurred; the server's log says more.")
		return
	}
	life := int(expires.Sub(s.Now()) / time.Second)
	noStore(w)
	writeJSON(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token.Reveal()})
}

// noStore keeps a secret out of caches (RFC 6749 section 5.1).
func noStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }
