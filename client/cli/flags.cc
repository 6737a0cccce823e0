#include "client/cli/flags.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace slipway::cli {
namespace {

using enum FlagType;

constexpr char kOfAFarm[] = "export status list cancel retry delete fetch workers top watch doctor";

constexpr std::array kFlags = {
    Flag{"target", kList, "LIST", "formats to make: onnx, tflite, coreml, ncnn or all (default: all)", "export"},
    Flag{"precision", kList, "LIST", "precisions to make: fp32 (default), fp16, int8, … or all", "export"},
    Flag{"weights", kText, "FILE", "checkpoint for a single built-in architecture", "export"},
    Flag{"dummy", kSwitch, "", "makes weights up for built-in architectures: ARCH alone, to try a pipeline", "export"},
    Flag{"num-classes", kInteger, "N", "classes of a built-in classifier; weights must have as many", "export", 1,
         1000000},
    Flag{"input-size", kInteger, "S", "height and width that a built-in classifier takes", "export", 32, 4096},
    Flag{"samples", kInteger, "N", "samples that prove an artifact, or that compare runs (default: 8)",
         "export compare", 1, 10000},
    Flag{"shape", kShapes, "NAME=SIZES", "fixes the dynamic sizes of an input: image=1,3,224,224", "export compare"},
    Flag{"fix", kFixed, "NAME=VALUES", "makes an input a constant: one value for all elements, or all of them",
         "export"},
    Flag{"cut-inputs", kList, "LIST", "tensors of the source that become inputs", "export"},
    Flag{"cut-outputs", kList, "LIST", "tensors of the source that become the outputs", "export"},
    Flag{"preset", kText, "NAME",
         "classifier: --scale, the --mean and --std its weights expect, --softmax, names image and probs", "export"},
    Flag{"labels", kText, "FILE", "names of a classifier's classes, one a line: go into the manifest", "export"},
    Flag{"scale", kNumber, "X", "the image input is multiplied by it: 0.00392157 takes bytes to [0, 1]", "export"},
    Flag{"mean", kNumbers, "LIST", "then subtracted: one value or one a channel", "export"},
    Flag{"std", kNumbers, "LIST", "then divided by: one value or one a channel", "export"},
    Flag{"softmax", kSwitch, "", "ends the model with a softmax over its output's last axis", "export"},
    Flag{"input-name", kList, "LIST", "names of the artifact's inputs, in order", "export"},
    Flag{"output-name", kList, "LIST", "names of the artifact's outputs, in order", "export"},
    Flag{"io-layout", kText, "LAYOUT", "source (default), or nhwc: inputs and outputs of rank 4 channels-last",
         "export"},
    Flag{"opset", kInteger, "N", "ONNX opset to write (default: 17; raised where an op needs it)", "export", 7, 26},
    Flag{"no-verify", kSwitch, "", "does not run the artifacts: they end as unverified", "export"},
    Flag{"tolerance", kNumber, "X", "replaces the main limit of the parity gates", "export compare"},
    Flag{"out", kText, "DIR", "where the artifacts and manifest.json go (default: exports)", "export fetch"},
    Flag{"json", kSwitch, "", "prints one JSON event a line",
         "export status list cancel retry delete fetch workers top watch doctor verify inspect compare formats token"},
    Flag{"server", kText, "HOST:PORT",
         "the farm to use, several coordinators by commas; without it, export runs its own", kOfAFarm},
    Flag{"tls", kSwitch, "", "with --server: speaks TLS; this machine's authorities must have signed its certificate",
         kOfAFarm},
    Flag{"tls-ca", kText, "FILE", "with --server: the same, by these certificate authorities (PEM)", kOfAFarm},
    Flag{"tls-cert", kText, "FILE", "with --server: certificate to show the farm (PEM)", kOfAFarm},
    Flag{"tls-key", kText, "FILE", "with --server: key of that certificate (PEM)", kOfAFarm},
    Flag{"token-file", kText, "FILE", "with --server: file whose first line is the token; else SLIPWAY_TOKEN holds it",
         kOfAFarm},
    Flag{"insecure", kSwitch, "", "with --server: sends the token in plain text even to other machines", kOfAFarm},
    Flag{"tokens", kText, "FILE", "the coordinators' file of those who may call", "token"},
    Flag{"tenant", kText, "NAME", "whose requests and blobs a token opens", "token"},
    Flag{"role", kText, "ROLE", "what it allows: read, submit or admin (docs/security.md)", "token"},
    Flag{"name", kText, "NAME", "the token's own name, for the audit log and for revoking it", "token"},
    Flag{"expires", kDuration, "TIME", "how long it is valid: 90d, 12h (default: for ever)", "token"},
    Flag{"jobs", kInteger, "N", "cells made at once by the embedded farm (default: one a CPU)", "export", 1, 1024},
    Flag{"python", kText, "FILE", "Python interpreter with the judges' runtimes, for the embedded farm",
         "export doctor compare"},
    Flag{"cache-dir", kText, "DIR", "where the embedded farm keeps what it made (default: ~/.cache/slipway)", "export"},
    Flag{"no-cache", kSwitch, "", "the embedded farm keeps nothing and uses nothing that was kept", "export"},
    Flag{"priority", kInteger, "N", "higher goes first on a shared farm (default: 0)", "export", -100, 100},
    Flag{"detach", kSwitch, "", "with --server: submits, prints the request's id and leaves", "export"},
    Flag{"on-interrupt", kText, "WHAT", "cancel (default), or detach: Ctrl-C leaves the farm working", "export"},
    Flag{"fresh", kSwitch, "", "makes everything again, whatever equal request the farm has", "export"},
    Flag{"for-all", kSwitch, "", "ends requests that others wait for, too", "cancel"},
    Flag{"wait", kSwitch, "", "waits until the request has ended", "fetch"},
    Flag{"once", kSwitch, "", "shows the farm as it is now and ends", "top"},
    Flag{"every", kDuration, "TIME", "time between two looks (default: 2s)", "top"},
    Flag{"limit", kInteger, "N", "how many requests to show (default: 20)", "list status top", 1, 100000},
    Flag{"timeout", kDuration, "TIME", "export: cancels what has not ended by then; watch: stops waiting: 90s, 5m, 1h",
         "export watch"},
    Flag{"for", kList, "LIST", "targets to ask: names every node that one of them cannot take", "inspect"},
    Flag{"ops", kSwitch, "", "shows which operators each target has, form by form", "formats"},
    Flag{"markdown", kSwitch, "", "prints everything as the page docs/operators.md", "formats"},
    Flag{"nodes", kSwitch, "", "shows every node, with the shapes of its outputs", "inspect"},
    Flag{"config", kText, "FILE", "YAML file with these flags' names as keys",
         "export status list cancel retry delete fetch workers top watch doctor verify inspect compare formats token"},
};

constexpr std::array kVerbs = {
    Verb{"export", "MODEL...",
         "an .onnx file, a folder of them, or a built-in architecture with weights: ARCH@FILE; NAME=MODEL names it", 1,
         -1, "make and prove the formats that devices run",
         "  slipway export model.onnx\n"
         "  slipway export model.onnx --target tflite,coreml --out build/models\n"
         "  slipway export pnet=mtcnn-pnet@pnet.pt rnet=mtcnn-rnet@rnet.pt --target all\n"
         "  slipway export resnet50@resnet50.pth --input-size 256\n"
         "  slipway export lite --dummy\n"
         "  slipway export zoo/ --server a.example.com:7400,b.example.com:7400 --json\n"
         "  slipway export zoo/ --server farm.example.com:7400 --detach --timeout 2h\n"
         "  slipway export detector.onnx --shape image=1,3,320,320 --tolerance 1e-3\n"
         "  slipway export mobilenet_v2@v2.pth --preset classifier --io-layout nhwc --target tflite\n"
         "  slipway export resnet18@birds.pth --preset classifier --labels birds.txt\n"
         "  slipway export detector.onnx --fix threshold=0.25 --cut-outputs boxes,scores"},
    Verb{"list", "", "", 0, 0, "show the newest requests of a farm",
         "  slipway list --server farm.example.com:7400\n"
         "  slipway list --limit 500 --json"},
    Verb{"status", "[REQUEST]", "a request's id; without it the same as list", 0, 1, "show a request of a farm",
         "  slipway status 0-6f1c2a --server farm.example.com:7400"},
    Verb{"watch", "REQUEST", "a request's id", 1, 1, "follow a request until it has ended",
         "  slipway watch 0-6f1c2a --server farm.example.com:7400"},
    Verb{"fetch", "REQUEST", "a request's id", 1, 1, "write what a request made, as export would have",
         "  slipway fetch 0-6f1c2a --server farm.example.com:7400 --out exports\n"
         "  slipway fetch 0-6f1c2a --wait"},
    Verb{"cancel", "REQUEST...", "ids of requests", 1, -1, "end requests; what has passed stays fetchable",
         "  slipway cancel 0-6f1c2a --server farm.example.com:7400"},
    Verb{"retry", "REQUEST...", "ids of requests", 1, -1,
         "make failed and cancelled cells again; what has passed stays",
         "  slipway retry 0-6f1c2a --server farm.example.com:7400"},
    Verb{"delete", "REQUEST...", "ids of requests", 1, -1, "forget requests that have ended",
         "  slipway delete 0-6f1c2a --server farm.example.com:7400"},
    Verb{"workers", "", "", 0, 0, "show the workers of a farm",
         "  slipway workers --server farm.example.com:7400\n"
         "  slipway workers --json"},
    Verb{"top", "", "", 0, 0, "show what a farm does, again and again: its workers, its queue, its open requests",
         "  slipway top --server farm.example.com:7400\n"
         "  slipway top --every 10s\n"
         "  slipway top --once --json"},
    Verb{"verify", "DIR", "the folder that --out named", 1, 1, "check every file of an export, offline",
         "  slipway verify exports"},
    Verb{"inspect", "FILE", "a model (.onnx .tflite .param), a folder .mlpackage, or a checkpoint", 1, 1,
         "show what a model file holds, and what keeps it from a target",
         "  slipway inspect model.onnx\n"
         "  slipway inspect model.onnx --for tflite,coreml\n"
         "  slipway inspect exports/model/tflite-fp32/model.tflite --nodes\n"
         "  slipway inspect weights.safetensors --json"},
    Verb{"compare", "FILE FILE...",
         "the baseline, then what is compared with it: models of any format, or an export's folder", 2, -1,
         "run models on the same inputs and compare what they give",
         "  slipway compare model.onnx exports\n"
         "  slipway compare model.onnx exports/model/tflite-fp32/model.tflite --samples 32\n"
         "  slipway compare old.tflite new.tflite --tolerance 1e-3 --json\n"
         "  slipway compare detector.onnx detector.param --shape image=1,3,320,320"},
    Verb{"formats", "", "", 0, 0, "show what can be made: targets, precisions, element types, operators",
         "  slipway formats\n"
         "  slipway formats --ops\n"
         "  slipway formats --ops --json"},
    Verb{"doctor", "", "", 0, 0, "check what this machine needs",
         "  slipway doctor\n  slipway doctor --server farm.example.com:7400"},
    Verb{"token", "new|list|revoke [NAME...]", "make a token, show those there are, or take some back", 1, -1,
         "keep the file of those who may call a farm",
         "  slipway token new --tokens /etc/slipway/tokens --tenant research --role submit --name ci --expires 90d\n"
         "  slipway token list --tokens /etc/slipway/tokens\n"
         "  slipway token revoke ci --tokens /etc/slipway/tokens"},
    Verb{"version", "", "", 0, 0, "print the version", "  slipway version"},
};

}  // namespace

std::span<const Flag> Flags() { return kFlags; }
std::span<const Verb> Verbs() { return kVerbs; }

const Flag* FindFlag(std::string_view name) {
  const auto it = std::find_if(kFlags.begin(), kFlags.end(), [&](const Flag& flag) { return flag.name == name; });
  return it == kFlags.end() ? nullptr : &*it;
}

bool Takes(std::string_view verb, const Flag& flag) {
  const std::string list = " " + std::string(flag.verbs) + " ";
  return list.find(" " + std::string(verb) + " ") != std::string::npos;
}

std::string EnvironmentName(const Flag& flag) {
  std::string name = "SLIPWAY_";
  for (const char c : flag.name)
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

}  // namespace slipway::cli
