// Command keyring is the kubelet's own code for credential providers (pkg/credentialprovider/plugin), with what it would ask
// of an API server answered here.
//
//	keyring -config PATH -bin-dir DIRECTORY [-gates NAME=true] < lookups
//
// Without lookups it says whether the kubelet would start with this configuration. A line of stdin is a JSON object, see
// lookup; its images are looked up at once, as the kubelet does for pods that start together. A line of stdout answers each
// image. After the last line the program says on stderr what the plugins' processes cost together: the seconds of CPU, and the
// seconds of wall time from the first lookup to the last answer.
//
// The kubelet's log goes to stderr as well.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/credentialprovider/plugin"

	"kubeletcases/fakeaws"
)

const roleAnnotation = "eks.amazonaws.com/ecr-role-arn"

// lookup is what a pod wants.
type lookup struct {
	Images    []string
	Namespace string
	Pod       string
	// The service account; a static pod has none.
	Account string
	// The role that the account's annotation names; none: no annotation.
	Role string
	// The seconds that the account's token lives; negative: it is past its end.
	Life int
	// How many of these lookups to make at once; 0 is 1.
	Times int
}

// answer is what the kubelet would give to the container runtime for an image.
type answer struct {
	Image     string
	Account   string
	Passwords []string
}

// accounts stands for the API server: the accounts of the lookups that were read.
type accounts struct {
	mutex sync.Mutex
	known map[string]lookup
}

func (a *accounts) find(namespace, name string) (lookup, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	found, ok := a.known[namespace+"/"+name]
	if !ok {
		return lookup{}, errors.New("no such service account")
	}
	return found, nil
}

func (a *accounts) token(namespace, name string, request *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error) {
	found, err := a.find(namespace, name)
	if err != nil {
		return nil, err
	}
	expires := time.Now().Add(time.Duration(found.Life) * time.Second)
	request.Status.Token = fakeaws.WebIdentity(namespace, name, expires)
	request.Status.ExpirationTimestamp = metav1.NewTime(expires)
	return request, nil
}

func (a *accounts) account(namespace, name string) (*v1.ServiceAccount, error) {
	found, err := a.find(namespace, name)
	if err != nil {
		return nil, err
	}
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-" + namespace + "-" + name)}
	if found.Role != "" {
		meta.Annotations = map[string]string{roleAnnotation: found.Role}
	}
	return &v1.ServiceAccount{ObjectMeta: meta}, nil
}

func main() {
	config := flag.String("config", "", "--image-credential-provider-config")
	plugins := flag.String("bin-dir", "", "--image-credential-provider-bin-dir")
	gates := flag.String("gates", "", "feature gates")
	klog.InitFlags(nil)
	flag.Parse()
	if *gates != "" {
		if err := utilfeature.DefaultMutableFeatureGate.Set(*gates); err != nil {
			fail(err)
		}
	}
	server := &accounts{known: map[string]lookup{}}
	if err := plugin.RegisterCredentialProviderPlugins(*config, *plugins, server.token, server.account); err != nil {
		fail(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	var wanted []lookup
	for lines.Scan() {
		var next lookup
		if err := json.Unmarshal(lines.Bytes(), &next); err != nil {
			fail(err)
		}
		wanted = append(wanted, next)
		server.known[next.Namespace+"/"+next.Account] = next
	}
	if len(wanted) == 0 {
		fmt.Println("the kubelet starts with it")
		return
	}
	begun := time.Now()
	answers := lookUp(wanted)
	wall := time.Since(begun)
	for _, one := range answers {
		text, _ := json.Marshal(one)
		fmt.Println(string(text))
	}
	klog.Flush()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage); err != nil {
		fail(err)
	}
	seconds := func(time syscall.Timeval) float64 { return float64(time.Sec) + float64(time.Usec)/1e6 }
	fmt.Fprintf(os.Stderr, "cost cpu=%.4f wall=%.4f\n", seconds(usage.Utime)+seconds(usage.Stime), wall.Seconds())
}

// lookUp makes all lookups at once.
func lookUp(wanted []lookup) []answer {
	var answers []answer
	var mutex sync.Mutex
	var group sync.WaitGroup
	for _, pod := range wanted {
		for range max(pod.Times, 1) {
			for _, image := range pod.Images {
				group.Go(func() {
					keyring := plugin.NewExternalCredentialProviderDockerKeyring(pod.Namespace, pod.Pod, "uid-"+pod.Pod, pod.Account)
					found, _ := keyring.Lookup(image)
					one := answer{Image: image, Account: pod.Account, Passwords: []string{}}
					for _, credentials := range found {
						one.Passwords = append(one.Passwords, credentials.Username+":"+credentials.Password)
					}
					mutex.Lock()
					defer mutex.Unlock()
					answers = append(answers, one)
				})
			}
		}
	}
	group.Wait()
	return answers
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "keyring:", err)
	os.Exit(1)
}
