// Run beside the files of Kubernetes' own package by bench/scaling/recorded.py: what the real controller
// decides, in the time of a bubble that passes at once.
package podautoscaler

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	metricsclient "k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/monitor"
	"k8s.io/kubernetes/pkg/controller/util/selectors"
)

type policy struct {
	Value   int32
	Period  int32
	Percent bool
}

type rules struct {
	Policies  []policy
	Window    int32
	Tolerance string
}

type step struct {
	Seconds int
	// For each metric the load that the pods share; none: it can't be read.
	Loads   []*int64
	Unready int
	Missing int
}

type scenario struct {
	Least, Most, Start int32
	Target             int64
	Up, Down           rules
	Steps              []step
	Decided            []int32
}

// client is the metrics that a step gives.
type client struct {
	metricsclient.MetricsClient
	loads []*int64
	ready []string
}

func (c *client) GetRawMetric(name, _ string, _, _ labels.Selector) (metricsclient.PodMetricsInfo, time.Time, error) {
	var at int
	fmt.Sscanf(name, "metric%d", &at)
	if c.loads[at] == nil {
		return nil, time.Time{}, errors.New("not served")
	}
	info := metricsclient.PodMetricsInfo{}
	for _, name := range c.ready {
		info[name] = metricsclient.PodMetric{Timestamp: time.Now(), Value: *c.loads[at] / int64(len(c.ready))}
	}
	return info, time.Now(), nil
}

func (r rules) behavior() *autoscalingv2.HPAScalingRules {
	most := autoscalingv2.MaxChangePolicySelect
	tolerance := resource.MustParse(r.Tolerance)
	made := &autoscalingv2.HPAScalingRules{
		StabilizationWindowSeconds: &r.Window, SelectPolicy: &most, Tolerance: &tolerance,
	}
	for _, one := range r.Policies {
		kind := autoscalingv2.PodsScalingPolicy
		if one.Percent {
			kind = autoscalingv2.PercentScalingPolicy
		}
		made.Policies = append(made.Policies, autoscalingv2.HPAScalingPolicy{
			Type: kind, Value: one.Value, PeriodSeconds: one.Period,
		})
	}
	return made
}

func (s *scenario) decide(t *testing.T) {
	const key = "default/hpa"
	found := &client{}
	pods := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	lister := corelisters.NewPodLister(pods)
	a := &HorizontalController{
		tolerance:       0.1,
		podLister:       lister,
		replicaCalc:     NewReplicaCalculator(found, lister, 5*time.Minute, 30*time.Second),
		eventRecorder:   &record.FakeRecorder{},
		monitor:         monitor.New(),
		selectorTracker: newHPASelectorStore(),
		recommendations: map[string][]timestampedRecommendation{},
		scaleUpEvents:   map[string][]timestampedScaleEvent{},
		scaleDownEvents: map[string][]timestampedScaleEvent{},
	}
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "hpa"}}
	hpa.Spec.MinReplicas, hpa.Spec.MaxReplicas = &s.Least, s.Most
	hpa.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{
		ScaleUp: s.Up.behavior(), ScaleDown: s.Down.behavior(),
	}
	for at := range s.Steps[0].Loads {
		hpa.Spec.Metrics = append(hpa.Spec.Metrics, autoscalingv2.MetricSpec{
			Type: autoscalingv2.PodsMetricSourceType,
			Pods: &autoscalingv2.PodsMetricSource{
				Metric: autoscalingv2.MetricIdentifier{Name: fmt.Sprintf("metric%d", at)},
				Target: autoscalingv2.MetricTarget{
					Type: autoscalingv2.AverageValueMetricType, AverageValue: resource.NewMilliQuantity(s.Target, resource.DecimalSI),
				},
			},
		})
	}
	selector, _ := labels.Parse("app=a")
	a.selectorTracker.PutIfAbsent("default", selectors.Key{Name: "hpa", Namespace: "default"}, selector)
	current := s.Start
	for _, step := range s.Steps {
		time.Sleep(time.Duration(step.Seconds) * time.Second)
		unready := min(step.Unready, int(current)-1)
		missing := min(step.Missing, int(current)-1-unready)
		found.loads, found.ready = step.Loads, nil
		var objects []interface{}
		for at := range int(current) {
			pod := &v1.Pod{ObjectMeta: metav1.ObjectMeta{
				Namespace: "default", Name: fmt.Sprintf("pod%d", at), Labels: map[string]string{"app": "a"},
			}}
			pod.Status.Phase = v1.PodRunning
			if at < unready {
				pod.Status.Phase = v1.PodPending
			} else if at >= unready+missing {
				found.ready = append(found.ready, pod.Name)
			}
			objects = append(objects, pod)
		}
		if err := pods.Replace(objects, ""); err != nil {
			t.Fatal(err)
		}
		// As reconcileAutoscaler does between reading the scale and writing it.
		a.recordInitialRecommendation(current, key)
		desired := current
		if current > s.Most {
			desired = s.Most
		} else if current < s.Least {
			desired = s.Least
		} else {
			scale := &autoscalingv1.Scale{}
			scale.Spec.Replicas, scale.Status.Replicas, scale.Status.Selector = current, current, "app=a"
			wanted, _, _, _, err := a.computeReplicasForMetrics(t.Context(), hpa, scale, hpa.Spec.Metrics)
			if err == nil || wanted != -1 {
				desired = a.normalizeDesiredReplicasWithBehaviors(hpa, key, current, wanted, s.Least)
			}
		}
		if desired != current {
			a.storeScaleEvent(hpa.Spec.Behavior, key, current, desired)
		}
		current = desired
		s.Decided = append(s.Decided, current)
	}
}

func TestRecord(t *testing.T) {
	var scenarios []*scenario
	given, err := os.ReadFile(os.Getenv("SCENARIOS"))
	if err == nil {
		err = json.Unmarshal(given, &scenarios)
	}
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		for _, one := range scenarios {
			one.decide(t)
		}
	})
	text, _ := json.Marshal(scenarios)
	if err := os.WriteFile(os.Getenv("SCENARIOS"), text, 0o644); err != nil {
		t.Fatal(err)
	}
}
