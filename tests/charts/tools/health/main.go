// Command health says what GitOps tools make of a resource. It reads a JSON object {resource, lua, expressions} and prints one
// with the verdicts: of kstatus, as of `kubectl` tools and Flux without further rules; of Flux by its CEL expressions; of
// Argo CD by its Lua rule. Each by the library that the tool itself uses.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type question struct {
	Resource    *unstructured.Unstructured        `json:"resource"`
	Lua         string                            `json:"lua"`
	Expressions *kustomize.HealthCheckExpressions `json:"expressions"`
}

type verdicts struct {
	Kstatus string `json:"kstatus"`
	Flux    string `json:"flux"`
	Argo    string `json:"argo"`
	Message string `json:"message"`
}

func main() {
	answer, err := answer()
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(answer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "health:", err)
		os.Exit(1)
	}
}

func answer() (answer verdicts, err error) {
	var q question
	if err = json.NewDecoder(os.Stdin).Decode(&q); err != nil {
		return
	}
	plain, err := status.Compute(q.Resource)
	if err != nil {
		return
	}
	evaluator, err := cel.NewStatusEvaluator(q.Expressions)
	if err != nil {
		return
	}
	answer.Kstatus, answer.Flux = plain.Status.String(), status.UnknownStatus.String()
	// A rule that can't be evaluated, as it names a field that isn't there yet, makes Flux look again until its time-out.
	if flux, err := evaluator.Evaluate(context.Background(), q.Resource); err == nil {
		answer.Flux = flux.Status.String()
	}
	answer.Argo, answer.Message, err = argo(q.Lua, q.Resource.Object)
	return
}

// Argo CD gives a rule the resource as global `obj`, and the safe part of the standard library.
func argo(rule string, resource map[string]any) (verdict, message string, err error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable, lua.StringLibName: lua.OpenString,
	} {
		if err = state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return
		}
	}
	state.SetGlobal("obj", value(state, resource))
	if err = state.DoString(rule); err != nil {
		return
	}
	result, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", "", fmt.Errorf("the Lua rule returns a %s, not a table", state.Get(-1).Type())
	}
	return lua.LVAsString(result.RawGetString("status")), lua.LVAsString(result.RawGetString("message")), nil
}

func value(state *lua.LState, from any) lua.LValue {
	switch from := from.(type) {
	case map[string]any:
		table := state.NewTable()
		for name, member := range from {
			table.RawSetString(name, value(state, member))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, member := range from {
			table.Append(value(state, member))
		}
		return table
	case string:
		return lua.LString(from)
	case bool:
		return lua.LBool(from)
	case int64:
		return lua.LNumber(from)
	case float64:
		return lua.LNumber(from)
	default:
		return lua.LNil
	}
}
