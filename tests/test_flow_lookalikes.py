"""Right programs that look wrong, wrong ones that look right, and whose call a finding is put at.

As in test_flow_programs: each `# TLLnnn` comment is a finding, and there are no others.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from test_flow_programs import MODAL, case, checked, not_yet, programs


@programs(
    conditional_break_contradictory="""
        def f(loader, flag):
            net = Raw()
            for a in loader:
                if flag:
                    net = Soft()
                    break
            if not flag:
                return F.cross_entropy(net(x), y)
        """,
    children_removal="""
        net = Soft()
        net2 = nn.Sequential(*list(net.children()))
        F.cross_entropy(net2(x), y)
        """,
    phases_loop_set_grad="""
        def f(loaders):
            net = Modal()
            for epoch in range(10):
                for phase in ["train", "val"]:
                    net.train(phase == "train")
                    for a, b in loaders[phase]:
                        out = net(a)
                        if phase == "train":
                            loss = F.cross_entropy(out, b)
        """,
    mode_e="""
        class T:
            def __init__(self):
                self.net = Modal()
            def run(self, train=True):
                self.net.train(train)
                out = self.net(x)
                if train:
                    loss = F.cross_entropy(out, y)
        T().run(); T().run(False)
        """,
    attr_set_in_one_branch_only="""
        class Net(Raw):
            def __init__(self, soft):
                super().__init__()
                if soft:
                    self.last = nn.Softmax(dim=1)
                else:
                    self.last = None
            def forward(self, x):
                x = self.fc(x)
                if self.last is not None:
                    x = self.last(x)
                return x
        def f(soft):
            net = Net(soft)
            if soft:
                return F.mse_loss(net(x), y)
            return F.cross_entropy(net(x), y)
        """,
    hasattr_false="""
        net = Raw()
        out = net(x)
        if hasattr(net, "softmax"):
            out = net.softmax(out)
        F.cross_entropy(out, y)
        """,
    early_return_writes="""
        class T:
            def __init__(self):
                self.net = Raw()
            def setup(self, flag):
                if flag:
                    self.net = Soft()
                    return
                self.net = Raw()
            def run(self, flag):
                self.setup(flag)
                if not flag:
                    F.cross_entropy(self.net(x), y)
        """,
    nested_returns_by_two_facts="""
        def make(a, b):
            if a == "x":
                if b:
                    return Soft()
                return Raw()
            return Raw()
        def f(a, b):
            net = make(a, b)
            if not b:
                F.cross_entropy(net(x), y)
            if a != "x":
                F.cross_entropy(net(x), y)
        """,
    boolean_var_of_comparison="""
        def f(kind):
            soft = kind == "soft"
            net = Soft() if soft else Raw()
            if kind != "soft":
                F.cross_entropy(net(x), y)
        """,
    not_var="""
        def f(kind):
            soft = not kind
            net = Soft() if soft else Raw()
            if kind:
                F.cross_entropy(net(x), y)
        """,
    lower="""
        def f(args):
            net = Soft() if args.kind.lower() == "soft" else Raw()
            if args.kind.lower() == "raw":
                F.cross_entropy(net(x), y)
        """,
    cfg_dict="""
        def f(cfg):
            net = Soft() if cfg["kind"] == "soft" else Raw()
            if cfg["kind"] == "raw":
                F.cross_entropy(net(x), y)
        """,
    is_none="""
        def f(weights=None):
            net = Soft() if weights is None else Raw()
            if weights is not None:
                F.cross_entropy(net(x), y)
        """,
    classes_gt_1="""
        class Net(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.n = n
                self.fc = nn.Linear(8, n)
            def forward(self, x):
                x = self.fc(x)
                return F.log_softmax(x, 1) if self.n > 1 else torch.sigmoid(x)
        def f(n):
            net = Net(n)
            if n > 1:
                F.nll_loss(net(x), y)
            else:
                F.mse_loss(net(x), y)
        """,
    isinstance_of_criterion="""
        def f(criterion, out=None):
            out = Raw()(x)
            if isinstance(criterion, nn.BCELoss):
                out = torch.sigmoid(out)
            elif isinstance(criterion, nn.NLLLoss):
                out = F.log_softmax(out, 1)
            return criterion(out, y)
        f(nn.CrossEntropyLoss())
        f(nn.NLLLoss())
        """,
    callable_check_on_instance="""
        def f(net):
            if isinstance(net, Soft):
                return F.mse_loss(net(x), y)
            return F.cross_entropy(net(x), y)
        f(Soft()); f(Raw())
        """,
    type_name="""
        def f(net):
            if net.__class__.__name__ == "Soft":
                return F.mse_loss(net(x), y)
            return F.cross_entropy(net(x), y)
        f(Soft()); f(Raw())
        """,
    type_is="""
        def f(net):
            if type(net) is Soft:
                return F.mse_loss(net(x), y)
            return F.cross_entropy(net(x), y)
        f(Soft()); f(Raw())
        """,
    not_gt="""
        def f(n):
            net = Soft() if n > 2 else Raw()
            if not n > 2:
                F.cross_entropy(net(x), y)
        """,
    return_inside_try="""
        def make(kind):
            try:
                return {"raw": Raw}[kind]()
            except KeyError:
                return Soft()
        F.cross_entropy(make("raw")(x), y)
        """,
    handler_overrides_known="""
        try:
            net = Raw()
        except Exception:
            net = Soft()
        F.cross_entropy(net(x), y)
        """,
    try_partially="""
        def f():
            net = Soft()
            try:
                net = Raw()
                return F.cross_entropy(net(x), y)
            except Exception:
                pass
        """,
    finally_resets="""
        def f(net=Modal()):
            net.eval()
            try:
                net(x)
            finally:
                net.train()
            return F.cross_entropy(net(x), y)
        """,
    predict_restores_mode="""
        class Net(Modal):
            def predict(self, x):
                self.eval()
                out = self(x)
                self.train()
                return out
        net = Net()
        net.predict(x)
        F.cross_entropy(net(x), y)
        """,
    predict_doesn_t_restore_but_other_train="""
        class T:
            def __init__(self):
                self.net = Modal()
            def train(self):
                self.net.train()
                F.cross_entropy(self.net(x), y)
            def val(self):
                self.net.eval()
                self.net(x)
            def run(self):
                for e in range(10):
                    self.train()
                    self.val()
        T().run()
        """,
    mode_set_in_other_method_uncalled="""
        class T:
            def __init__(self):
                self.net = Modal()
            def train(self):
                F.cross_entropy(self.net(x), y)
            def val(self):
                self.net.eval()
                self.net(x)
        """,
    while_flips="""
        net = Modal()
        while True:
            net.train()
            F.cross_entropy(net(x), y)
            net.eval()
            net(x)
        """,
    loop_variable_leftover="""
        outs = []
        for net in [Soft(), Raw()]:
            outs.append(net(x))
        F.cross_entropy(outs[-1], y)
        F.cross_entropy(outs[1], y)
        """,
    nets_by_name_loops="""
        for name in ["soft", "raw"]:
            net = {"soft": Soft, "raw": Raw}[name]()
            if name == "raw":
                F.cross_entropy(net(x), y)
        """,
    same_name_attr_in_two_objects="""
        class A: pass
        a, b = A(), A()
        a.net, b.net = Soft(), Raw()
        F.cross_entropy(b.net(x), y)
        """,
    objects_in_list_by_index="""
        class A:
            def __init__(self, net): self.net = net
        items = [A(n) for n in (Soft(), Raw())]
        F.cross_entropy(items[1].net(x), y)
        """,
    same_constructor_site_twice="""
        def make(net):
            return nn.Sequential(net, nn.Identity())
        p, q = make(Soft()), make(Raw())
        F.cross_entropy(q(x), y)
        """,
    monkeypatch_forward="""
        net = Soft()
        net.forward = lambda x: net.fc(x)
        F.cross_entropy(net(x), y)
        """,
    patch_class_method="""
        def raw_forward(self, x):
            return self.fc(x)
        Soft.forward = raw_forward
        F.cross_entropy(Soft()(x), y)
        """,
    types_methodtype="""
        import types
        def raw_forward(self, x):
            return self.fc(x)
        net = Soft()
        net.forward = types.MethodType(raw_forward, net)
        F.cross_entropy(net(x), y)
        """,
    replaced_softmax_with_identity="""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(8, 4)
                self.softmax = nn.Softmax(dim=1)
            def forward(self, x):
                return self.softmax(self.fc(x))
        net = Net()
        net.softmax = nn.Identity()
        F.cross_entropy(net(x), y)
        """,
    del_softmax_from_sequential="""
        net = nn.Sequential(nn.Linear(8, 4), nn.Softmax(dim=1))
        del net[-1]
        F.cross_entropy(net(x), y)
        """,
    setattr_replaced="""
        class Net(Soft):
            def __init__(self):
                super().__init__()
                self.last = nn.Softmax(dim=1)
            def forward(self, x):
                return self.last(self.fc(x))
        net = Net()
        setattr(net, "last", nn.Identity())
        F.cross_entropy(net(x), y)
        """,
    functional_override_via_inheritance_mixin="""
        class LogitsMixin:
            def activate(self, s):
                return s
        class ProbNet(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(8, 4)
            def activate(self, s):
                return s.softmax(1)
            def forward(self, x):
                return self.activate(self.fc(x))
        class LogitNet(LogitsMixin, ProbNet):
            pass
        F.cross_entropy(LogitNet()(x), y)
        """,
    own_softmax_shadow="""
        def softmax(t, dim=1):
            return t
        F.cross_entropy(softmax(Raw()(x)), y)
        """,
    local_param_shadows_global="""
        net = Soft()
        def f(net):
            return F.cross_entropy(net(x), y)
        f(Raw())
        """,
    global_rebound="""
        def f():
            return F.cross_entropy(net(x), y)
        net = Soft()
        net = Raw()
        f()
        """,
    conditional_lambda="""
        act = (lambda t: t.softmax(1)) if False else (lambda t: t)
        F.cross_entropy(act(Raw()(x)), y)
        """,
    early_stop_raise="""
        def f(kind):
            if kind not in ("raw",):
                raise ValueError
            net = Raw() if kind == "raw" else Soft()
            F.cross_entropy(net(x), y)
        """,
    assert_in="""
        def f(kind):
            assert kind in ("raw", "plain")
            net = Soft() if kind == "soft" else Raw()
            F.cross_entropy(net(x), y)
        """,
    env="""
        import os
        def f():
            net = Soft() if os.environ.get("SOFT") else Raw()
            if not os.environ.get("SOFT"):
                F.cross_entropy(net(x), y)
        """,
    global_flag_const="""
        USE_SOFT = False
        net = Soft() if USE_SOFT else Raw()
        F.cross_entropy(net(x), y)
        """,
    class_constant_flag="""
        class Cfg:
            soft = False
            n = 4
        cfg = Cfg()
        F.cross_entropy((Soft() if cfg.soft else Raw())(x), y)
        """,
    output_rebound_for_accuracy="""
        out = Raw()(x)
        loss = F.cross_entropy(out, y)
        out = out.softmax(1)
        acc = (out.argmax(1) == y)
        """,
    output_rebound_in_loop="""
        net = Raw()
        for i in range(100):
            out = net(x)
            loss = F.cross_entropy(out, y)
            out = F.softmax(out, dim=1)
        """,
    rebind_carry_in_while="""
        out = Raw()(x)
        n = 0
        while n < 5:
            loss = F.cross_entropy(out, y)
            probs = out.softmax(1)
            out = Raw()(x)
            n += 1
        """,
    shared_list_of_outputs="""
        outs, probs = [], []
        for i in range(100):
            o = Raw()(x)
            outs.append(o)
            probs.append(o.softmax(1))
        F.cross_entropy(torch.cat(outs), y)
        """,
    dict_outputs="""
        def forward(x):
            s = Raw()(x)
            return dict(logits=s, probs=s.softmax(1))
        F.cross_entropy(forward(x)["logits"], y)
        """,
    swap_alias="""
        a = [Soft()]
        b = a
        b[0] = Raw()
        F.cross_entropy(a[0](x), y)
        """,
)
def test_nothing_is_wrong(tmp_path: Path, body: str) -> None:
    checked(tmp_path, MODAL + dedent(body))


@programs(
    method_on_self_helper_activation_by_string="""
        class Net(nn.Module):
            def __init__(self, act="softmax"):
                super().__init__()
                self.fc = nn.Linear(8, 4)
                self.act = getattr(F, act)
            def forward(self, x):
                return self.act(self.fc(x), dim=-1)
        F.cross_entropy(Net()(x), y)  # TLL101
        """,
    dict_of_lambdas="""
        ACTS = {"softmax": lambda t: F.softmax(t, dim=1), "none": lambda t: t}
        F.cross_entropy(ACTS["softmax"](Raw()(x)), y)  # TLL101
        F.cross_entropy(ACTS["none"](Raw()(x)), y)
        """,
    attribute_forwarding__getattr="""
        class Wrap:
            def __init__(self, inner):
                self.inner = inner
            def __getattr__(self, name):
                return getattr(self.inner, name)
        w = Wrap(Soft())
        F.cross_entropy(w.forward(x), y)  # TLL101
        """,
    try_loss_in_try_body="""
        try:
            loss = F.cross_entropy(Soft()(x), y)  # TLL101
            loss.backward()
        except RuntimeError as e:
            if "memory" in str(e):
                loss = F.cross_entropy(Soft()(x[:1]), y[:1])  # TLL101
            else:
                raise
        """,
    try_with_return_in_handler="""
        def f():
            try:
                import fancy
            except ImportError:
                return None
            return F.cross_entropy(Soft()(x), y)  # TLL101
        """,
    loss_only_in_except="""
        def f():
            try:
                risky()
            except Exception:
                return F.cross_entropy(Soft()(x), y)  # TLL101
        """,
    second_handler="""
        def f():
            try:
                risky()
            except KeyError:
                net = Soft()
            except ValueError:
                net = Soft()
            return F.cross_entropy(net(x), y)  # TLL101
        """,
    finally_net="""
        def f():
            try:
                return risky()
            finally:
                F.cross_entropy(Soft()(x), y)  # TLL101
        """,
    with_two="""
        class Ctx:
            def __enter__(self):
                return Soft()
            def __exit__(self, *a): pass
        with Ctx() as net:
            F.cross_entropy(net(x), y)  # TLL101
        """,
    known_loop_cond="""
        net = Raw()
        for i in range(3):
            if i == 2:
                net = Soft()
        F.cross_entropy(net(x), y)  # TLL101
        """,
    break_known="""
        for net in [Soft(), Raw()]:
            break
        F.cross_entropy(net(x), y)  # TLL101
        """,
    break_conditional_unknown="""
        def f(loader, flag):
            net = Raw()
            for a in loader:
                if flag:
                    net = Soft()
                    break
            return F.cross_entropy(net(x), y)  # TLL101
        """,
    kw_only_default="""
        def f(*, softmax=True):
            out = Raw()(x)
            return out.softmax(1) if softmax else out
        F.cross_entropy(f(), y)  # TLL101
        F.cross_entropy(f(softmax=False), y)
        """,
    mutable_default="""
        def f(acc=[]):
            acc.append(Soft())
            return acc
        F.cross_entropy(f()[0](x), y)  # TLL101
        """,
    string_formatting_keys="""
        nets = {"net_%d" % i: Soft() for i in range(2)}
        F.cross_entropy(nets["net_1"](x), y)  # TLL101
        nets = {f"net_{i}": Soft() for i in range(2)}
        F.cross_entropy(nets["net_0"](x), y)  # TLL101
        nets = {"net_{}".format(i): Soft() for i in range(2)}
        F.cross_entropy(nets["net_0"](x), y)  # TLL101
        """,
    dict_update_pop="""
        d = {"a": Raw()}
        d.update(a=Soft())
        F.cross_entropy(d.pop("a")(x), y)  # TLL101
        d.setdefault("b", Soft())
        F.cross_entropy(d["b"](x), y)  # TLL101
        F.cross_entropy(d.get("c", Soft())(x), y)  # TLL101
        """,
    list_ops="""
        l = [Raw()]
        l.append(Soft()); l.insert(0, Raw()); l.reverse()
        F.cross_entropy(l[0](x), y)  # TLL101
        l = l + [Soft()]
        F.cross_entropy(l[-1](x), y)  # TLL101
        l[1] = Soft()
        F.cross_entropy(l[1](x), y)  # TLL101
        F.cross_entropy(l.pop()(x), y)  # TLL101
        l2 = [Soft()] * 3
        F.cross_entropy(l2[2](x), y)  # TLL101
        """,
    named_children_loop="""
        net = nn.Sequential(nn.Linear(8, 4), nn.Softmax(dim=1))
        out = x
        for name, layer in net.named_children():
            out = layer(out)
        F.cross_entropy(out, y)  # TLL101
        """,
    sequential_index_and_slice="""
        net = nn.Sequential(nn.Linear(8, 4), nn.Softmax(dim=1))
        F.cross_entropy(net[:-1](x), y)
        F.cross_entropy(net[-1](net[0](x)), y)  # TLL101
        """,
    class_var_counter="""
        class A:
            nets = []
            @classmethod
            def register(cls, n):
                cls.nets.append(n)
                return n
        A.register(Soft())
        F.cross_entropy(A.nets[0](x), y)  # TLL101
        """,
    registry_decorator="""
        REG = {}
        def register(name):
            def deco(cls):
                REG[name] = cls
                return cls
            return deco
        @register("soft")
        class MySoft(Soft):
            pass
        F.cross_entropy(REG["soft"]()(x), y)  # TLL101
        """,
    phases_loop="""
        def f(loaders):
            net = Modal()
            for epoch in range(10):
                for phase in ["train", "val"]:
                    if phase == "train":
                        net.train()
                    else:
                        net.eval()
                    for a, b in loaders[phase]:
                        out = net(a)
                        loss = F.cross_entropy(out, b)  # TLL101
        """,
    attribute_deleted_in_branch="""
        def f(flag):
            net = Raw()
            if flag:
                net.extra = Soft()
            if hasattr(net, "extra"):
                F.cross_entropy(net.extra(x), y)  # TLL101
        """,
    dict_key_in_one_branch="""
        def f(flag):
            d = {"raw": Raw()(x)}
            if flag:
                d["soft"] = Soft()(x)
            for k in d:
                F.mse_loss(d[k], y)
            if "soft" in d:
                F.cross_entropy(d["soft"], y)  # TLL101
        """,
    early_return_writes_2="""
        class T:
            def __init__(self):
                self.net = Raw()
            def setup(self, flag):
                if flag:
                    self.net = Soft()
                    return
                self.net = Raw()
            def run(self, flag):
                self.setup(flag)
                if flag:
                    F.cross_entropy(self.net(x), y)  # TLL101
        """,
    classes_is_1="""
        class Net(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.n = n
                self.fc = nn.Linear(8, n)
            def forward(self, x):
                x = self.fc(x)
                if self.n == 1:
                    return torch.sigmoid(x)
                return x
        def f(n):
            net = Net(n)
            criterion = nn.BCELoss() if n == 1 else nn.CrossEntropyLoss()
            criterion(net(x), y)  # TLL109
        """,
    train_called_after_eval_in_loop="""
        net = Modal()
        for epoch in range(10):
            for b in range(100):
                F.cross_entropy(net(x), y)  # TLL101
            net.eval()
        """,
    default_none_act="""
        class Net(nn.Module):
            def __init__(self, act=None):
                super().__init__()
                self.fc = nn.Linear(8, 4)
                self.act = act
            def forward(self, x):
                x = self.fc(x)
                if self.act is not None:
                    x = self.act(x)
                return x
        F.cross_entropy(Net()(x), y)
        F.cross_entropy(Net(nn.Softmax(dim=1))(x), y)  # TLL101
        """,
    or_act="""
        class Net(nn.Module):
            def __init__(self, act=None):
                super().__init__()
                self.fc = nn.Linear(8, 4)
                self.act = act or nn.Softmax(dim=1)
            def forward(self, x):
                return self.act(self.fc(x))
        F.cross_entropy(Net(nn.Identity())(x), y)
        F.cross_entropy(Net()(x), y)  # TLL101
        """,
    return_logits_kwarg="""
        class Net(Soft):
            def forward(self, x, logits=False):
                s = self.fc(x)
                if logits:
                    return s
                return s.softmax(1)
        F.cross_entropy(Net()(x, logits=True), y)
        F.cross_entropy(Net()(x, True), y)
        F.cross_entropy(Net()(x), y)  # TLL101
        """,
    from_logits_loss_param="""
        def my_loss(out, y, from_logits=True):
            if from_logits:
                return F.cross_entropy(out, y)
            return F.nll_loss(torch.log(out), y)  # TLL116
        my_loss(Raw()(x), y)
        my_loss(Soft()(x), y, from_logits=False)
        """,
    map_of_loss="""
        list(map(F.cross_entropy, [Soft()(x)], [y]))  # TLL101
        """,
    lightning="""
        import pytorch_lightning as pl
        class Lit(pl.LightningModule):
            def __init__(self, lr=1e-3):
                super().__init__()
                self.save_hyperparameters()
                self.net = Soft()
                self.criterion = nn.CrossEntropyLoss()
            def forward(self, x):
                return self.net(x)
            def shared(self, batch, stage):
                x, y = batch
                loss = self.criterion(self(x), y)  # TLL101
                self.log(stage, loss)
                return loss
            def training_step(self, batch, batch_idx):
                return self.shared(batch, "train")
            def validation_step(self, batch, batch_idx):
                return self.shared(batch, "val")
        """,
    lightning_modal="""
        import pytorch_lightning as pl
        class Lit(pl.LightningModule):
            def __init__(self):
                super().__init__()
                self.net = Modal()
            def training_step(self, batch, batch_idx):
                a, b = batch
                return F.cross_entropy(self.net(a), b)
            def validation_step(self, batch, batch_idx):
                a, b = batch
                return F.cross_entropy(self.net(a), b)  # TLL101
        """,
    loss_in_forward="""
        class Net(Soft):
            def forward(self, x, y=None):
                out = self.fc(x)
                probs = out.softmax(1)
                if y is not None:
                    return F.cross_entropy(probs, y)  # TLL101
                return probs
        """,
    nested_uncalled_closure="""
        def outer(loader):
            net = Soft()
            def callback(images, labels):
                return F.cross_entropy(net(images), labels)  # TLL101
            loader.register(callback)
        """,
    nested_uncalled_closure_returned="""
        def outer():
            net = Soft()
            def callback(images, labels):
                return F.cross_entropy(net(images), labels)  # TLL101
            return callback
        """,
    optimizer_closure="""
        def train(opt, net=Soft()):
            def closure():
                opt.zero_grad()
                loss = F.cross_entropy(net(x), y)  # TLL101
                loss.backward()
                return loss
            opt.step(closure)
        """,
    thread="""
        import threading
        def work():
            F.cross_entropy(Soft()(x), y)  # TLL101
        threading.Thread(target=work).start()
        """,
    method_of_class_never_instantiated_w_args="""
        class T:
            def __init__(self, net, crit=nn.CrossEntropyLoss()):
                self.net = net
                self.crit = crit
            def step(self, x, y):
                out = self.net(x)
                return self.crit(out.softmax(1), y)  # TLL101
        """,
    match_class_pattern="""
        def f(cmd):
            match cmd:
                case {"kind": "soft"}:
                    net = Soft()
                case [a, b]:
                    net = Soft()
                case int() | str():
                    net = Soft()
                case _:
                    net = Soft()
            F.cross_entropy(net(x), y)  # TLL101
        """,
    global_in_loop_of_functions="""
        def setup():
            global net, crit
            net, crit = Soft(), nn.CrossEntropyLoss()
        def main():
            setup()
            crit(net(x), y)  # TLL101
        if __name__ == "__main__":
            main()
        """,
    del_attr_then_class_attr="""
        class A:
            net = Soft()
            def __init__(self):
                self.net = Raw()
        a = A()
        F.cross_entropy(a.net(x), y)
        del a.net
        F.cross_entropy(a.net(x), y)  # TLL101
        """,
    property_with_cache="""
        class T:
            _net = None
            @property
            def net(self):
                if self._net is None:
                    self._net = Soft()
                return self._net
            def run(self):
                F.cross_entropy(self.net(x), y)  # TLL101
        T().run()
        """,
    memo_self_state="""
        class Net(Raw):
            soft = False
            def forward(self, x):
                x = self.fc(x)
                if self.soft:
                    return x.softmax(1)
                return x
        net = Net()
        F.cross_entropy(net(x), y)
        net.soft = True
        F.cross_entropy(net(x), y)  # TLL101
        """,
    memo_nested_child_changes="""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.child = Raw()
            def forward(self, x):
                return self.child(x)
        net = Net()
        F.cross_entropy(net(x), y)
        net.child = Soft()
        F.cross_entropy(net(x), y)  # TLL101
        net.child.forward = lambda x: Raw()(x)
        F.cross_entropy(net(x), y)
        """,
    two_instances_of_a_plain_class="""
        class Nets:
            def __init__(self):
                self.nets = [Raw(), Soft()]
        F.cross_entropy(Nets().nets[1](x), y)  # TLL101
        F.cross_entropy(Nets().nets[1](x), y)  # TLL101
        """,
    writer_twice="""
        class Trainer:
            def __init__(self, net):
                self.net = net
            def prepare(self):
                self.ready = Soft()
        a, b = Trainer(Raw()), Trainer(Raw())
        a.prepare(); b.prepare()
        F.cross_entropy(a.ready(x), y)  # TLL101
        F.cross_entropy(b.ready(x), y)  # TLL101
        """,
    setup_on_empty_holder="""
        class Holder: pass
        class Maker:
            def fill(self, h):
                h.net = Soft()
        m = Maker()
        a, b = Holder(), Holder()
        m.fill(a); m.fill(b)
        F.cross_entropy(a.net(x), y)  # TLL101
        F.cross_entropy(b.net(x), y)  # TLL101
        """,
    lazy_attribute_of_plain_class="""
        class Lazy:
            def build(self):
                self.net = Soft()
        a, b = Lazy(), Lazy()
        a.build(); b.build()
        F.cross_entropy(a.net(x), y)  # TLL101
        F.cross_entropy(b.net(x), y)  # TLL101
        """,
    forward_patched_on_class="""
        class Net(Raw):
            pass
        net = Net()
        F.cross_entropy(net(x), y)
        Net.forward = lambda self, x: self.fc(x).softmax(1)
        F.cross_entropy(net(x), y)  # TLL101
        """,
)
def test_what_is_wrong_is_found(tmp_path: Path, body: str) -> None:
    checked(tmp_path, MODAL + dedent(body))


@programs(
    blame_through_own_loss_class_two_deep="""
        class CE(nn.Module):
            def __init__(self):
                super().__init__()
                self.ce = nn.CrossEntropyLoss()
            def forward(self, out, y):
                return self.ce(out, y)
        class Both(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = CE()
            def forward(self, out, y):
                out = out.view(-1, 4)
                return 0.5 * self.a(out, y) + 0.1
        crit = Both()
        crit(Soft()(x), y)  # TLL101
        crit(Raw()(x), y)
        """,
    blame_via_dict_arg="""
        def loss_of(outputs, y):
            return F.cross_entropy(outputs["logits"], y)
        loss_of({"logits": Soft()(x)}, y)  # TLL101
        """,
    blame_via_tuple_arg="""
        def loss_of(outputs, y):
            a, b = outputs
            return F.cross_entropy(a, y) + F.cross_entropy(b, y)
        loss_of((Soft()(x), Raw()(x)), y)  # TLL101
        """,
    blame_via_list_in_loop="""
        def loss_of(outputs, y):
            return sum(F.cross_entropy(o, y) for o in outputs)
        loss_of([Soft()(x), Raw()(x)], y)  # TLL101
        """,
    blame_via_self_attr_stays="""
        class T:
            def step(self, x, y):
                self.out = Soft()(x)
                return self.loss(y)
            def loss(self, y):
                return F.cross_entropy(self.out, y)  # TLL101
        T().step(x, y)
        """,
    blame_lambda="""
        crit = lambda o, t: F.cross_entropy(o, t) * 2
        crit(Soft()(x), y)  # TLL101
        """,
    blame_via_kwargs_fixed="""
        def crit(o, t, **kw):
            return F.cross_entropy(o, t, **kw)
        crit(Soft()(x), y, reduction="sum")  # TLL101
        """,
    blame_compute_with_choice_param="""
        def crit(o, t):
            return F.cross_entropy(o, t)
        def f(flag):
            o = Soft()(x) if flag else Raw()(x)
            crit(o, y)  # TLL101
        """,
    blame_criterion_loop_of_dict="""
        crits = {"ce": nn.CrossEntropyLoss()}
        def total(o, t):
            s = 0
            for n, c in crits.items():
                s = s + c(o, t)
            return s
        total(Soft()(x), y)  # TLL101
        """,
    blame_in_generator="""
        def losses(o, t):
            yield F.cross_entropy(o, t)
        sum(losses(Soft()(x), y))  # TLL101
        """,
)
def test_where_it_is_put(tmp_path: Path, body: str) -> None:
    checked(tmp_path, MODAL + dedent(body))


@pytest.mark.parametrize(
    "body",
    [
        not_yet(
            "contextlib.contextmanager is not followed",
            """
            from contextlib import contextmanager
            @contextmanager
            def evaluating(net):
                net.eval()
                yield net
                net.train()
            with evaluating(Soft()) as net:
                F.cross_entropy(net(x), y)  # TLL101
            """,
        ),
        not_yet(
            "an `if` on a counter in a `while` is decided by its first value",
            """
            net = Raw()
            i = 0
            while i < 3:
                if i == 2:
                    net = Soft()
                i += 1
            F.cross_entropy(net(x), y)  # TLL101
            """,
        ),
        case(
            "filter() is not followed",
            """
            nets = list(filter(None, [Soft(), Soft()]))
            F.cross_entropy(nets[0](x), y)  # TLL101
            """,
        ),
        case(
            "training that was never set is lost in a join with eval()",
            """
            def f(phase):
                net = Modal()
                if phase == "train":
                    net.train()
                else:
                    net.eval()
                if phase == "train":
                    loss = F.cross_entropy(net(x), y)
            """,
        ),
        case(
            "training that was never set is lost in a join with eval()",
            """
            class T:
                def __init__(self):
                    self.net = Modal()
                def run(self, phase):
                    is_train = phase == "train"
                    if is_train:
                        self.net.train()
                    else:
                        self.net.eval()
                    out = self.net(x)
                    if is_train:
                        loss = F.cross_entropy(out, y)
            """,
        ),
        case(
            "an attribute that only one branch set is there in both after the join",
            """
            class Net(Raw):
                def __init__(self, soft):
                    super().__init__()
                    if soft:
                        self.last = nn.Softmax(dim=1)
                def forward(self, x):
                    x = self.fc(x)
                    if hasattr(self, "last"):
                        x = self.last(x)
                    return x
            def f(soft):
                net = Net(soft)
                if soft:
                    return F.mse_loss(net(x), y)
                return F.cross_entropy(net(x), y)
            """,
        ),
        case(
            "`n == 1` and `n > 1` are not seen to contradict",
            """
            class Net(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.n_classes = n
                    self.fc = nn.Linear(8, n)
                def forward(self, x):
                    x = self.fc(x)
                    return torch.sigmoid(x) if self.n_classes == 1 else x
            def f(n):
                net = Net(n)
                criterion = nn.CrossEntropyLoss() if net.n_classes > 1 else nn.MSELoss()
                criterion(net(x), y)
            """,
        ),
        case(
            "`n > 2` and `n <= 2` are not seen to contradict",
            """
            def f(n):
                net = Soft() if n > 2 else Raw()
                if n <= 2:
                    F.cross_entropy(net(x), y)
            """,
        ),
        case(
            "`n < 2` and `n >= 2` are not seen to contradict",
            """
            def f(n):
                net = Soft() if n < 2 else Raw()
                if n >= 2:
                    F.cross_entropy(net(x), y)
            """,
        ),
        case(
            "Sequential.pop is not followed",
            """
            net = nn.Sequential(nn.Linear(8, 4), nn.Softmax(dim=1))
            net.pop(1)
            F.cross_entropy(net(x), y)
            """,
        ),
        case(
            "copy.deepcopy gives the same object",
            """
            import copy
            net = Raw()
            other = copy.deepcopy(net)
            other.fc = nn.Sequential(nn.Linear(8, 4), nn.Softmax(dim=1))
            F.cross_entropy(net(x), y)
            F.cross_entropy(other(x), y)  # TLL101
            """,
        ),
        case(
            "copy.deepcopy gives the same object",
            """
            import copy
            net = Modal()
            ema = copy.deepcopy(net).eval()
            F.cross_entropy(net(x), y)
            """,
        ),
        not_yet(
            "a lambda that nothing calls is not looked at",
            """
            crit = lambda out: F.cross_entropy(out.softmax(1), y)  # TLL101
            """,
        ),
        not_yet(
            "the args= of mp.spawn are not handed on",
            """
            import torch.multiprocessing as mp
            def work(rank, net, crit):
                crit(net(x), y)  # TLL101
            mp.spawn(work, args=(Soft(), nn.CrossEntropyLoss()), nprocs=4)
            """,
        ),
        case(
            "a remembered call does not notice that a class attribute was written",
            """
            class Cfg:
                soft = False
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 4)
                def forward(self, x):
                    x = self.fc(x)
                    if Cfg.soft:
                        return x.softmax(1)
                    return x
            net = Net()
            F.cross_entropy(net(x), y)
            Cfg.soft = True
            F.cross_entropy(net(x), y)  # TLL101
            """,
        ),
        case(
            "a remembered call does not notice that an option was written",
            """
            class Net(nn.Module):
                def __init__(self, args):
                    super().__init__()
                    self.args = args
                    self.fc = nn.Linear(8, 4)
                def forward(self, x):
                    x = self.fc(x)
                    if self.args.soft:
                        return x.softmax(1)
                    return x
            def main(args):
                args.soft = False
                net = Net(args)
                F.cross_entropy(net(x), y)
                args.soft = True
                F.cross_entropy(net(x), y)  # TLL101
            """,
        ),
        case(
            "DataParallel(module=...) is not followed",
            """
            net = nn.DataParallel(module=Soft())
            F.cross_entropy(net(x), y)  # TLL101
            """,
        ),
        not_yet(
            "the name stays inside the comprehension",
            """
            [last := net(x) for net in [Raw(), Soft()]]
            F.cross_entropy(last, y)  # TLL101
            """,
        ),
        case(
            "field(default_factory=...) is not followed",
            """
            from dataclasses import dataclass, field
            @dataclass
            class Task:
                net: nn.Module
                criterion: nn.Module = field(default_factory=nn.CrossEntropyLoss)
            task = Task(Soft())
            task.criterion(task.net(x), y)  # TLL101
            """,
        ),
        case(
            "tensors in *args and **kwargs are not known to have come in from outside",
            """
            class Criterion(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.ce = nn.CrossEntropyLoss()
                def forward(self, *args, **kwargs):
                    return self.ce(*args, **kwargs)
            Criterion()(Soft()(x), y)  # TLL101
            Criterion()(input=Soft()(x), target=y)  # TLL101
            """,
        ),
    ],
)
def test_hard_cases(tmp_path: Path, body: str) -> None:
    checked(tmp_path, MODAL + dedent(body))


@programs(
    made_up_scores="""
        scores = torch.rand(4, 5, requires_grad=True)
        F.cross_entropy(scores.clone(), y)
        F.binary_cross_entropy_with_logits(torch.rand(4, 5), torch.ones(4, 5))
        F.nll_loss(torch.empty(4, 5).uniform_(), y)
        F.cross_entropy(torch.rand(4, 5).softmax(1), y)  # TLL101
        F.cross_entropy(torch.rand(4, 5).sigmoid(), y)  # TLL103
        """,
    more_arguments_than_the_loss_takes="""
        net, crit = Soft(), nn.CrossEntropyLoss()
        crit(net(x), net(x), net(x))
        crit(net(x), y, weight=None)
        F.binary_cross_entropy_with_logits(net(x), y, None, None, None, "mean", None, y)
        """,
    no_target="""
        net, crit = Soft(), nn.CrossEntropyLoss()
        crit(net(x))
        crit(net(x), labels=y)
        F.cross_entropy(net(x))
        nn.GaussianNLLLoss()(net(x), y)
        """,
    spread_arguments_may_fit="""
        def f(*rest, **more):
            net, crit = Soft(), nn.CrossEntropyLoss()
            crit(net(x), *rest)  # TLL101
            crit(net(x), **more)  # TLL101
            F.cross_entropy(net(x), *rest)  # TLL101
        """,
    another_loss_takes_three="""
        def step(crit, net):
            return crit(net(x), net(x), net(x))
        step(nn.TripletMarginLoss(), Raw())
        step(nn.CrossEntropyLoss(), Soft())
        """,
    clipped_before_a_softmax="""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.rnn, self.fc = nn.GRU(8, 4), nn.Linear(8, 4)
            def forward(self, x, how):
                if how == "rnn":
                    return self.rnn(x)[0].softmax(-1)
                if how == "cosine":
                    return F.normalize(x, dim=1).mm(F.normalize(self.fc.weight, dim=1).t()).softmax(1)
                if how == "clamp":
                    return self.fc(x).clamp(-1, 1).softmax(1)
                if how == "relu":
                    return self.fc(x).relu().softmax(1)
                return self.fc(x).tanh().softmax(1)
        net = Net()
        F.cross_entropy(net(x, "rnn"), y)  # TLL101
        F.cross_entropy(net(x, "cosine"), y)  # TLL101
        F.cross_entropy(net(x, "clamp"), y)  # TLL101
        F.cross_entropy(net(x, "relu"), y)  # TLL101 TLL106
        F.cross_entropy(net(x, "tanh"), y)  # TLL101 TLL106
        F.nll_loss(net.rnn(x)[0].log_softmax(-1), y)  # TLL106
        """,
    one_hot_of_unknown_width="""
        def f(labels, n):
            net = nn.Sequential(nn.Linear(8, n), nn.Softmax(dim=1))
            F.binary_cross_entropy(net(x), torch.eye(n)[labels])
            F.binary_cross_entropy(net(x), torch.eye(3)[y])  # TLL108
            F.binary_cross_entropy(Soft()(x), torch.eye(n)[labels])  # TLL108
        """,
    places_in_a_list_of_unknown_length="""
        def f(nodes):
            outputs = [None for _ in range(len(nodes))]
            outputs[0] = Soft()(x)
            k = 1
            for node in nodes:
                outputs[k] = node(outputs[k - 1])
                k += 1
            F.cross_entropy(outputs[k - 1], y)
        """,
    mapped_over_two_lists="""
        losses = list(map(F.cross_entropy, [Raw()(x), Raw()(x)], [y, y]))
        more = list(map(nn.CrossEntropyLoss(), [Soft()(x)], [y]))  # TLL101
        """,
)
def test_what_the_loss_is_given(tmp_path: Path, body: str) -> None:
    checked(tmp_path, body)


def test_a_call_that_raises_is_not_judged(tmp_path: Path) -> None:
    report = checked(tmp_path, "nn.CrossEntropyLoss()(Raw()(x))")
    calls = report.loss_calls
    assert (calls.seen, calls.judged, calls.unknown) == (1, 0, 1)
