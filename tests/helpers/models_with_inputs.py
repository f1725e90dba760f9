"""Models that take several inputs, token ids, or arguments that are no tensors."""

import torch
from torch import nn

IDS = torch.tensor([[3, 1, 4, 1, 5], [9, 2, 6, 0, 0]])
MASK = (IDS != 0).long()


class Two(nn.Module):
    """Scores from two inputs, one of them scaled by a plain number."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.head = nn.Linear(4, 5), nn.Linear(3, 5), nn.Linear(5, 3)

    def forward(self, left, right, scale=1.0, mode="add"):
        h = self.a(left) * scale + self.b(right)
        return self.head(h.relu() if mode == "add" else h)


class Text(nn.Module):
    """Token ids, an attention mask, and positions that depend on where padding is."""

    def __init__(self, length_first: bool = False):
        super().__init__()
        self.tokens, self.places = nn.Embedding(10, 6), nn.Embedding(8, 6)
        self.layer = nn.TransformerEncoderLayer(6, 2, 8, batch_first=True, dropout=0.0)
        self.head, self.length_first = nn.Linear(6, 3), length_first

    def forward(self, input_ids, attention_mask):
        places = (input_ids != 0).cumsum(1)
        if self.length_first:
            h = self.tokens(input_ids.transpose(0, 1)[1:]).transpose(0, 1)
            h = torch.cat([self.tokens(input_ids[:, :1]), h], 1)
        else:
            h = self.tokens(input_ids)
        h = self.layer(h + self.places(places), src_key_padding_mask=attention_mask == 0)
        mask = attention_mask[..., None].to(h.dtype)
        return {"logits": self.head((h * mask).sum(1)), "hidden": h}


class Scaled(nn.Module):
    """Scores scaled by an argument of any kind."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x, scales):
        return self.layer(x) * torch.as_tensor(scales, dtype=x.dtype).sum()
