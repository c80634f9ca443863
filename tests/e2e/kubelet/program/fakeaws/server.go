// Package fakeaws answers ECR's, ECR Public's and STS's calls over HTTP, on loopback.
//
// A token says whose keys fetched it ("token-of-" and the access key ID), and keys that STS hands out say for which role and
// service account they are, so that a test sees in a password who was served.
package fakeaws

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Modes of a service.
const (
	OK        = "ok"
	Denied    = "denied"
	Throttled = "throttled"
	Silent    = "silent"
)

// Server is the AWS. Its zero value is not usable: see New.
type Server struct {
	mutex sync.Mutex
	// How each service answers: a mode by the service's name ("ecr", "ecr-public", "sts"); OK where there is none.
	modes map[string]string
	calls map[string]int
}

// New returns an AWS that answers everything.
func New() *Server {
	return &Server{modes: map[string]string{}, calls: map[string]int{}}
}

// SetMode has a service answer in another way from now on.
func (s *Server) SetMode(service, mode string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.modes[service] = mode
}

// Calls returns how often a service was called.
func (s *Server) Calls(service string) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.calls[service]
}

func (s *Server) count(service string) string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.calls[service]++
	return s.modes[service]
}

// RoleKey is the access key ID that STS hands out for a role and the subject of a web identity token.
func RoleKey(role, subject string) string {
	sum := sha256.Sum256([]byte(role + "\n" + subject))
	return "ASIA" + strings.ToUpper(hex.EncodeToString(sum[:8]))
}

// Password is the password of the ECR token that an access key fetches.
func Password(accessKey string) string {
	return "token-of-" + accessKey
}

// WebIdentity is a service account's token, unsigned: nobody here checks the signature.
func WebIdentity(namespace, account string, expires time.Time) string {
	encode := func(value any) string {
		text, _ := json.Marshal(value)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	claims := map[string]any{
		"iss": "https://issuer.example",
		"aud": []string{"sts.amazonaws.com"},
		"sub": "system:serviceaccount:" + namespace + ":" + account,
		"exp": expires.Unix(),
		"iat": time.Now().Add(-time.Hour).Unix(),
		"kubernetes.io": map[string]any{
			"namespace":      namespace,
			"serviceaccount": map[string]string{"name": account, "uid": "uid-" + namespace + "-" + account},
		},
	}
	return encode(map[string]string{"alg": "RS256", "kid": "test"}) + "." + encode(claims) + "." +
		base64.RawURLEncoding.EncodeToString([]byte("not a signature"))
}

var credential = regexp.MustCompile(`Credential=([^/]+)/`)

// ServeHTTP answers a call of AWS's, and below /control the test's own: /control?service=ecr&mode=denied, /control/calls.
func (s *Server) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	if strings.HasPrefix(request.URL.Path, "/control") {
		s.control(answer, request)
		return
	}
	target := request.Header.Get("X-Amz-Target")
	switch {
	case strings.HasPrefix(target, "AmazonEC2ContainerRegistry_V20150921."):
		s.token(answer, request, "ecr")
	case strings.HasPrefix(target, "SpencerFrontendService."):
		s.token(answer, request, "ecr-public")
	case request.ParseForm() == nil && request.PostForm.Get("Action") == "AssumeRoleWithWebIdentity":
		s.assume(answer, request, request.PostForm)
	default:
		http.Error(answer, "no such call", http.StatusNotFound)
	}
}

func (s *Server) control(answer http.ResponseWriter, request *http.Request) {
	if service := request.URL.Query().Get("service"); service != "" {
		s.SetMode(service, request.URL.Query().Get("mode"))
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	fmt.Fprintf(answer, "ecr=%d ecr_public=%d sts=%d\n", s.calls["ecr"], s.calls["ecr-public"], s.calls["sts"])
}

// fails answers what a mode other than OK asks for, and says whether it did.
func fails(answer http.ResponseWriter, request *http.Request, mode string) bool {
	answer.Header().Set("Content-Type", "application/x-amz-json-1.1")
	switch mode {
	case Denied:
		answer.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(answer, `{"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:role/node `+
			`is not authorized to perform: ecr:GetAuthorizationToken on resource: *"}`)
	case Throttled:
		answer.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(answer, `{"__type":"ThrottlingException","message":"Rate exceeded"}`)
	case Silent:
		<-request.Context().Done()
	default:
		return false
	}
	return true
}

func (s *Server) token(answer http.ResponseWriter, request *http.Request, service string) {
	if fails(answer, request, s.count(service)) {
		return
	}
	found := credential.FindStringSubmatch(request.Header.Get("Authorization"))
	if found == nil {
		answer.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(answer, `{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}`)
		return
	}
	data := map[string]any{
		"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:" + Password(found[1]))),
		"expiresAt":          time.Now().Add(12 * time.Hour).Unix(),
		"proxyEndpoint":      "https://123456789012.dkr.ecr.us-east-1.amazonaws.com",
	}
	body := map[string]any{"authorizationData": []any{data}}
	if service == "ecr-public" {
		body["authorizationData"] = data
	}
	_ = json.NewEncoder(answer).Encode(body)
}

func (s *Server) assume(answer http.ResponseWriter, request *http.Request, form url.Values) {
	if fails(answer, request, s.count("sts")) {
		return
	}
	answer.Header().Set("Content-Type", "text/xml")
	refuse := func(code, message string) {
		answer.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(answer, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>`+
			`<Code>%s</Code><Message>%s</Message></Error><RequestId>r</RequestId></ErrorResponse>`, code, message)
	}
	var claims struct {
		Subject string `json:"sub"`
		Expires int64  `json:"exp"`
	}
	parts := strings.Split(form.Get("WebIdentityToken"), ".")
	if len(parts) != 3 {
		refuse("InvalidIdentityToken", "The ID Token provided is not a valid JWT.")
		return
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(text, &claims) != nil {
		refuse("InvalidIdentityToken", "The ID Token provided is not a valid JWT.")
		return
	}
	if claims.Expires <= time.Now().Unix() {
		refuse("ExpiredTokenException", "Token expired")
		return
	}
	key := RoleKey(form.Get("RoleArn"), claims.Subject)
	fmt.Fprintf(answer, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">`+
		`<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>`+
		`<SessionToken>session</SessionToken><Expiration>%s</Expiration></Credentials>`+
		`<SubjectFromWebIdentityToken>%s</SubjectFromWebIdentityToken><AssumedRoleUser><Arn>%s/s</Arn>`+
		`<AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser></AssumeRoleWithWebIdentityResult><ResponseMetadata>`+
		`<RequestId>r</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>`,
		key, time.Now().Add(time.Hour).UTC().Format(time.RFC3339), claims.Subject, form.Get("RoleArn"))
}
