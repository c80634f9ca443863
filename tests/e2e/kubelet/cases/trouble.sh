# What the kubelet's log says when ECR does not answer, and what a node still has when ECR is away.
# shellcheck shell=bash

if start_node; then
    for trouble in "denied:is not authorized to perform: ecr:GetAuthorizationToken" "throttled:asked too often by this account.*ThrottlingException" \
        "silent:did not answer|timed out|within"; do
        mode=${trouble%%:*}
        use_node "$mode"
        set_up "setup kubelet (ECR $mode)"
        aws_mode ecr "$mode"
        pod "$mode" "$plain/team/app-8:1"
        start_kubelet ECR_LOGIN_TIMEOUT=4
        kubelet_says "ECR $mode: the reason is in the kubelet's log" \
            "exit status 1: ecr-credential-provider: .*(${trouble#*:})"
        rm "$pods/$mode.yaml"
        aws_mode ecr ok
    done

    use_node restarted
    set_up "setup kubelet (a node that restarts)"
    pod before "$plain/team/app-9:1"
    start_kubelet
    check_pods "before the restart" before
    stop_kubelet
    aws_mode ecr silent
    before=$(calls ecr)
    pod after "$plain/team/app-10:1"
    start_kubelet
    check_pods "the kubelet restarts while ECR is away: the pod starts with the token on the disk" after
    same "ECR was not asked" "$before" "$(calls ecr)"
    aws_mode ecr ok

    use_node crowd
    set_up "setup kubelet (30 pods at once)"
    before=$(calls ecr) pods_of_crowd=()
    for number in $(seq 11 40); do
        pod "crowd-$number" "$plain/team/app-$number:1"
        pods_of_crowd+=("crowd-$number")
    done
    start_kubelet
    check_pods "30 pods of 30 images at once run" "${pods_of_crowd[@]}"
    same "30 pods of 30 images at once: one call to ECR" "$((before + 1))" "$(calls ecr)"
    stop_kubelet
fi
